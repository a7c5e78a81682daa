(* The LSTM with coupled gates, i = 1 - f: Greff et al. (2017).
   Written by hand, to be read and compared with the paper; nothing here is generated but the names
   of the parameters, which are those of Cell. *)
Require Import Reals BPTT Textbook Cell.
Open Scope R_scope.

Section Equations.
Variables (n m : nat) (p : par) (x h C : vec).
Definition f j := sigm (affine n m (p_W_f p) (p_U_f p) (p_b_f p) x h j).
Definition o j := sigm (affine n m (p_W_o p) (p_U_o p) (p_b_o p) x h j).
Definition g j := tanh (affine n m (p_W_g p) (p_U_g p) (p_b_g p) x h j).
Definition next_C : vec := fun j => f j * C j + (1 - f j) * g j.
Definition next_h : vec := fun j => o j * tanh (next_C j).
End Equations.

(* 1. The generated step computes this. *)
Definition computes : Prop := forall n m p x s j,
  s_h (step n m p x s) j 0%nat = next_h n m p (col (x_x x)) (col (s_h s)) (col (s_C s)) j /\
  s_C (step n m p x s) j 0%nat = next_C n m p (col (x_x x)) (col (s_h s)) (col (s_C s)) j.

(* 2. The additive path: with h fixed, the derivative of C_t by C_{t-1} is diag(f_t). *)
Definition path : Prop := forall n m p x h C j k, (j < n)%nat -> (k < n)%nat ->
  derivable_pt_lim (fun u => next_C n m p x h (changed C k u) j) (C k) (f n m p x h j * delta j k).

(* 3. Back-propagation through time: unroll T steps, add up a loss of every output; the generated
   sweep is its gradient. Said here of U_f; Cell says it of every parameter. *)
Fixpoint unrolled n m p (xs : nat -> inp) (h0 C0 : vec) (t : nat) : vec * vec :=
  match t with
  | O => (h0, C0)
  | S t' => let (h, C) := unrolled n m p xs h0 C0 t' in
            (next_h n m p (col (x_x (xs t'))) h C, next_C n m p (col (x_x (xs t'))) h C)
  end.
Definition total n m l p xs s0 T : R :=
  bsum T (fun t => l t (fst (unrolled n m p xs (col (s_h s0)) (col (s_C s0)) (S t)))).
Definition sweep n m dl p xs s0 T : par :=
  grad_parameters n m (fun t y i _ => dl t (col y) i) (fun _ => szero) p xs s0 T.
Definition gradient : Prop := forall n m l dl, differentiable n l dl ->
  forall p xs s0 T a b, (a < n)%nat -> (b < n)%nat ->
  derivable_pt_lim (fun u => total n m l (with_p_U_f p (update (p_U_f p) a b u)) xs s0 T)
    (p_U_f p a b) (p_U_f (sweep n m dl p xs s0 T) a b).
