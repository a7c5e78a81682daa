(* The GRU with the reset gate before the product: Cho et al. (2014).
   Written by hand, to be read and compared with the paper; nothing here is generated but the names
   of the parameters, which are those of Cell. *)
Require Import Reals BPTT Textbook Cell.
Open Scope R_scope.

Section Equations.
Variables (n m : nat) (p : par) (x h : vec).
Definition r j := sigm (affine n m (p_W_r p) (p_U_r p) (p_b_r p) x h j).
Definition z j := sigm (affine n m (p_W_z p) (p_U_z p) (p_b_z p) x h j).
Definition g j := tanh (affine n m (p_W_g p) (p_U_g p) (p_b_g p) x (fun k => r k * h k) j).
Definition next_h : vec := fun j => (1 - z j) * g j + z j * h j.
End Equations.

(* 1. The generated step computes this. *)
Definition computes : Prop := forall n m p x s j,
  s_h (step n m p x s) j 0%nat = next_h n m p (col (x_x x)) (col (s_h s)) j.

(* 2. Back-propagation through time: unroll T steps, add up a loss of every output; the generated
   sweep is its gradient. Said here of U_g; Cell says it of every parameter. *)
Fixpoint unrolled n m p (xs : nat -> inp) (h0 : vec) (t : nat) : vec :=
  match t with O => h0 | S t' => next_h n m p (col (x_x (xs t'))) (unrolled n m p xs h0 t') end.
Definition total n m l p xs s0 T : R :=
  bsum T (fun t => l t (unrolled n m p xs (col (s_h s0)) (S t))).
Definition sweep n m dl p xs s0 T : par :=
  grad_parameters n m (fun t y i _ => dl t (col y) i) (fun _ => szero) p xs s0 T.
Definition gradient : Prop := forall n m l dl, differentiable n l dl ->
  forall p xs s0 T a b, (a < n)%nat -> (b < n)%nat ->
  derivable_pt_lim (fun u => total n m l (with_p_U_g p (update (p_U_g p) a b u)) xs s0 T)
    (p_U_g p a b) (p_U_g (sweep n m dl p xs s0 T) a b).
