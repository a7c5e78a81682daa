(* The recurrent network of Elman (1990).
   Written by hand, to be read and compared with the paper; nothing here is generated but the names
   of the parameters, which are those of Cell. *)
Require Import Reals BPTT Textbook Cell.
Open Scope R_scope.

Section Equations.
Variables (n m : nat) (p : par) (x h : vec).
Definition next_h : vec := fun j => tanh (affine n m (p_W p) (p_U p) (p_b p) x h j).
End Equations.

(* 1. The generated step computes this. *)
Definition computes : Prop := forall n m p x s j,
  s_h (step n m p x s) j 0%nat = next_h n m p (col (x_x x)) (col (s_h s)) j.

(* 2. The derivative of h_t by h_{t-1} is diag(1 - h_t^2) U. *)
Definition jacobian : Prop := forall n m p x h j k, (j < n)%nat -> (k < n)%nat ->
  derivable_pt_lim (fun u => next_h n m p x (changed h k u) j) (h k)
    ((1 - next_h n m p x h j ^ 2) * p_U p j k).

(* 3. Back-propagation through time: unroll T steps, add up a loss of every output; the generated
   sweep is its gradient. Said here of U; Cell says it of every parameter. *)
Fixpoint unrolled n m p (xs : nat -> inp) (h0 : vec) (t : nat) : vec :=
  match t with O => h0 | S t' => next_h n m p (col (x_x (xs t'))) (unrolled n m p xs h0 t') end.
Definition total n m l p xs s0 T : R :=
  bsum T (fun t => l t (unrolled n m p xs (col (s_h s0)) (S t))).
Definition sweep n m dl p xs s0 T : par :=
  grad_parameters n m (fun t y i _ => dl t (col y) i) (fun _ => szero) p xs s0 T.
Definition gradient : Prop := forall n m l dl, differentiable n l dl ->
  forall p xs s0 T a b, (a < n)%nat -> (b < n)%nat ->
  derivable_pt_lim (fun u => total n m l (with_p_U p (update (p_U p) a b u)) xs s0 T)
    (p_U p a b) (p_U (sweep n m dl p xs s0 T) a b).

(* 4. Vanishing: if the absolute row sums of U are at most rho, T steps shrink every direction v of
   the state to rho^T times its largest entry; this is the total derivative, all paths included.
   It says nothing where rho > 1: the bound grows then, and the derivative may yet vanish. *)
Definition vanishing : Prop := forall n m p rho xs s0 v M,
  (forall j, (j < n)%nat -> bsum n (fun k => Rabs (p_U p j k)) <= rho) ->
  0 <= M -> (forall k, (k < n)%nat -> Rabs (s_h v k 0%nat) <= M) ->
  forall T j, (j < n)%nat ->
  Rabs (s_h (drun par inp st (step n m) (dstep n m) p xs s0 pzero (fun _ => xzero) v T) j 0%nat)
    <= rho ^ T * M.
