(* The sLSTM of Beck et al. (2024), eqs. (8)-(17), with the forget gate a sigmoid and the stabiliser M
   of appendix A.2.
   Written by hand, to be read and compared with the paper; nothing here is generated but the names
   of the parameters, which are those of Cell. *)
Require Import Reals BPTT Textbook Cell.
Open Scope R_scope.

Section Equations.
Variables (n m : nat) (p : par) (x h C N M : vec).
Definition z : vec := fun j => tanh (affine n m (p_W_z p) (p_R_z p) (p_b_z p) x h j).
Definition i : vec := fun j => affine n m (p_W_i p) (p_R_i p) (p_b_i p) x h j.
Definition log_f : vec := fun j => ln (sigm (affine n m (p_W_f p) (p_R_f p) (p_b_f p) x h j)).
Definition o : vec := fun j => sigm (affine n m (p_W_o p) (p_R_o p) (p_b_o p) x h j).
Definition next_M : vec := fun j => Rmax (log_f j + M j) (i j).
Definition input_gate : vec := fun j => exp (i j - next_M j).
Definition forget_gate : vec := fun j => exp (log_f j + M j - next_M j).
Definition next_C : vec := fun j => forget_gate j * C j + input_gate j * z j.
Definition next_N : vec := fun j => forget_gate j * N j + input_gate j.
Definition next_h : vec := fun j => o j * next_C j / next_N j.
End Equations.

(* 1. The generated step computes this. *)
Definition computes : Prop := forall n m p x s j,
  let x' := col (x_x x) in let h := col (s_h s) in
  let C := col (s_C s) in let N := col (s_N s) in let M := col (s_M s) in
  s_M (step n m p x s) j 0%nat = next_M n m p x' h M j /\
  s_N (step n m p x s) j 0%nat = next_N n m p x' h N M j /\
  s_C (step n m p x s) j 0%nat = next_C n m p x' h C M j /\
  s_h (step n m p x s) j 0%nat = next_h n m p x' h C N M j.

(* 2. The output does not depend on the stabiliser: M shifted, and C and N scaled along. *)
Definition stabiliser : Prop := forall n m p x h C N M d j, 0 < N j ->
  next_h n m p x h (fun k => C k * exp (- d)) (fun k => N k * exp (- d)) (fun k => M k + d) j
  = next_h n m p x h C N M j.

(* 3. From zero states the normaliser can be below 1: the authors' code starts M elsewhere. *)
Definition no_bound_of_the_normaliser : Prop := exists p xs,
  s_N (run par inp st (step 1 1) p xs szero 1) 0%nat 0%nat < 1.
