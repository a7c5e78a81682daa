(* The generated file meets the specification. *)
Require Import Reals Lra Lia FunctionalExtensionality BPTT Textbook Cell Spec.
Open Scope R_scope.

Lemma max_by_relu a b : b + relu (a + -1 * b) = Rmax a b.
Proof. unfold relu, Rmax. destruct (Rlt_dec 0 (a + -1 * b)), (Rle_dec a b); lra. Qed.
Lemma min_by_relu a : 1 + -1 * relu (1 + -1 * a) = Rmin a 1.
Proof. unfold relu, Rmin. destruct (Rlt_dec 0 (1 + -1 * a)), (Rle_dec a 1); lra. Qed.
Lemma is_zero a : heaviside (absolute a) = if Req_EM_T a 0 then 0 else 1.
Proof. unfold absolute. destruct (Rlt_dec 0 a), (Req_EM_T a 0); unfold heaviside; cases. Qed.
Lemma log_sigm a : -1 * softplus (-1 * a) = ln (sigm a).
Proof.
  unfold softplus, sigm. rewrite ln_Rinv by (generalize (exp_pos (- a)); lra).
  replace (-1 * a) with (- a) by ring. ring.
Qed.

Lemma meets_M n m p x s j :
  v_M n m p x s j 0%nat = next_M n m p (col (x_x x)) (col (s_h s)) (col (s_N s)) (col (s_M s)) j.
Proof.
  unfold v_M, v_relu_M, v_a_M, v_s, v_a_s, v_f, v_softplus_f, v_a_f. unfold_entries.
  rewrite is_zero, log_sigm, max_by_relu. unfold next_M, log_f, i, affine, col.
  unfold v_i, v_m_f. unfold_entries. destruct (Req_EM_T (s_N s j 0%nat) 0); ring.
Qed.
Lemma meets_p n m p x s j : v_p n m p x s j 0%nat
  = input_gate n m p (col (x_x x)) (col (s_h s)) (col (s_N s)) (col (s_M s)) j.
Proof.
  unfold v_p, v_relu_p, v_a_p_2, v_exp_p, v_a_p. unfold_entries. rewrite min_by_relu, meets_M.
  unfold input_gate, i, affine, col. unfold v_i. unfold_entries. do 2 f_equal. ring.
Qed.
Lemma meets_q n m p x s j : v_q n m p x s j 0%nat
  = forget_gate n m p (col (x_x x)) (col (s_h s)) (col (s_N s)) (col (s_M s)) j.
Proof.
  unfold v_q, v_relu_q, v_a_q_2, v_exp_q, v_a_q, v_f, v_softplus_f, v_a_f. unfold_entries.
  rewrite min_by_relu, meets_M, log_sigm.
  unfold forget_gate, log_f, affine, col. unfold v_m_f. unfold_entries. do 2 f_equal. ring.
Qed.
Theorem meets_equations : computes.
Proof.
  intros n m p x s j. cbn [step s_h s_C s_N s_M]. cbv zeta.
  assert (EN : v_N n m p x s j 0%nat
    = next_N n m p (col (x_x x)) (col (s_h s)) (col (s_N s)) (col (s_M s)) j).
  { unfold v_N. unfold_entries. rewrite meets_p, meets_q. reflexivity. }
  assert (EC : v_C n m p x s j 0%nat
    = next_C n m p (col (x_x x)) (col (s_h s)) (col (s_C s)) (col (s_N s)) (col (s_M s)) j).
  { unfold v_C, v_z, v_a_z. unfold_entries. rewrite meets_p, meets_q. reflexivity. }
  repeat split; [apply meets_M | exact EN | exact EC |].
  unfold v_h, v_reciprocal_N, v_o, v_a_o. unfold_entries. rewrite EN, EC. reflexivity.
Qed.

(* One of the two gates is 1 at every step, and the first time it is the input gate. *)
Lemma gate_range a : 0 < Rmin (exp a) 1 <= 1.
Proof. unfold Rmin. generalize (exp_pos a). destruct (Rle_dec (exp a) 1); lra. Qed.
Lemma open_gate a : a = 0 -> Rmin (exp a) 1 = 1.
Proof. intros; subst. rewrite exp_0. unfold Rmin. destruct (Rle_dec 1 1); lra. Qed.
Lemma first_step n m p x h N M j : N j = 0 -> 1 <= next_N n m p x h N M j.
Proof.
  intros Z. unfold next_N, input_gate, forget_gate, next_M. destruct (Req_EM_T (N j) 0); [|contradiction].
  set (a := i n m p x h j). rewrite Z, (open_gate (a - a)) by ring. lra.
Qed.
Lemma later_step n m p x h N M j : 1 <= N j -> 1 <= next_N n m p x h N M j.
Proof.
  intros L. unfold next_N, input_gate, forget_gate, next_M. destruct (Req_EM_T (N j) 0); [lra|].
  set (a := i n m p x h j). set (b := log_f n m p x h j + M j).
  generalize (gate_range (a - Rmax a b)) (gate_range (b - Rmax a b)).
  unfold Rmax. destruct (Rle_dec a b).
  - rewrite (open_gate (b - b)) by ring. intros. lra.
  - rewrite (open_gate (a - a)) by ring. intros. nra.
Qed.
Theorem meets_normaliser : normaliser.
Proof.
  intros n m p xs T j. induction T; cbn [run].
  - rewrite (proj1 (proj2 (meets_equations n m p (xs 0%nat) szero j))). apply first_step. reflexivity.
  - rewrite (proj1 (proj2 (meets_equations n m p (xs (S T)) _ j))). apply later_step. exact IHT.
Qed.

(* ---------- what `derive prove` claims, and the theorems above that say it ----------
   [proved] normaliser from zero: N_t >= 1, from zero states
     by Meets.meets_normaliser
*)
