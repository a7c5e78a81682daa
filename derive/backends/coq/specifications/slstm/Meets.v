(* The generated file meets the specification. *)
Require Import Reals Lra Lia FunctionalExtensionality BPTT Textbook Cell Spec.
Open Scope R_scope.

Lemma max_by_relu a b : b + relu (a + -1 * b) = Rmax a b.
Proof. unfold relu, Rmax. destruct (Rlt_dec 0 (a + -1 * b)), (Rle_dec a b); lra. Qed.
Lemma log_sigm a : -1 * softplus (-1 * a) = ln (sigm a).
Proof.
  unfold softplus, sigm. rewrite ln_Rinv by (generalize (exp_pos (- a)); lra).
  replace (-1 * a) with (- a) by ring. ring.
Qed.

Lemma meets_M n m p x s j :
  v_M n m p x s j 0%nat = next_M n m p (col (x_x x)) (col (s_h s)) (col (s_M s)) j.
Proof.
  unfold v_M, v_relu_M, v_a_M, v_f, v_softplus_f, v_a_f. unfold_entries.
  rewrite log_sigm, max_by_relu. unfold next_M, log_f, i, affine, col.
  unfold v_i, v_m_f. unfold_entries. reflexivity.
Qed.
Lemma meets_p n m p x s j : v_p n m p x s j 0%nat
  = input_gate n m p (col (x_x x)) (col (s_h s)) (col (s_M s)) j.
Proof.
  unfold v_p, v_a_p. unfold_entries. rewrite meets_M.
  unfold input_gate, i, affine, col. unfold v_i. unfold_entries. f_equal. ring.
Qed.
Lemma meets_q n m p x s j : v_q n m p x s j 0%nat
  = forget_gate n m p (col (x_x x)) (col (s_h s)) (col (s_M s)) j.
Proof.
  unfold v_q, v_a_q, v_f, v_softplus_f, v_a_f. unfold_entries. rewrite meets_M, log_sigm.
  unfold forget_gate, log_f, affine, col. unfold v_m_f. unfold_entries. f_equal. ring.
Qed.
Theorem meets_equations : computes.
Proof.
  intros n m p x s j. cbn [step s_h s_C s_N s_M]. cbv zeta.
  assert (EN : v_N n m p x s j 0%nat
    = next_N n m p (col (x_x x)) (col (s_h s)) (col (s_N s)) (col (s_M s)) j).
  { unfold v_N. unfold_entries. rewrite meets_p, meets_q. reflexivity. }
  assert (EC : v_C n m p x s j 0%nat
    = next_C n m p (col (x_x x)) (col (s_h s)) (col (s_C s)) (col (s_M s)) j).
  { unfold v_C, v_z, v_a_z. unfold_entries. rewrite meets_p, meets_q. reflexivity. }
  repeat split; [apply meets_M | exact EN | exact EC |].
  unfold v_h, v_reciprocal_N, v_o, v_a_o. unfold_entries. rewrite EN, EC. reflexivity.
Qed.

(* With M + d the new M is another one; C and N are then scaled by the same e. *)
Theorem meets_stabiliser : stabiliser.
Proof.
  intros n m p x h C N M d j P. unfold next_h, next_C, next_N, input_gate, forget_gate.
  set (a := i n m p x h j). set (b := log_f n m p x h j).
  set (u := next_M n m p x h M j). set (v := next_M n m p x h (fun k => M k + d) j).
  replace (a - v) with (a - u + (u - v)) by ring.
  replace (b + (M j + d) - v) with (b + M j - u + (u - v) + d) by ring.
  rewrite !exp_plus, exp_Ropp.
  generalize (exp_pos (a - u)) (exp_pos (b + M j - u)) (exp_pos d) (exp_pos (u - v)).
  generalize (exp (a - u)) (exp (b + M j - u)) (exp d) (exp (u - v)). intros k q D e K Q HD E.
  assert (H : 0 < q * N j + k) by nra.
  replace (q * e * D * (C j * / D) + k * e * z n m p x h j) with (e * (q * C j + k * z n m p x h j))
    by (field; lra).
  replace (q * e * D * (N j * / D) + k * e) with (e * (q * N j + k)) by (field; lra).
  field. split; lra.
Qed.

Theorem meets_refutation : no_bound_of_the_normaliser.
Proof.
  set (low := ln (sigm 0) - 1).
  set (p := mkpar mzero mzero mzero mzero mzero (mconst low) mzero mzero mzero mzero mzero mzero).
  exists p, (fun _ => xzero). cbn [run].
  rewrite (proj1 (proj2 (meets_equations 1%nat 1%nat p xzero szero 0%nat))).
  assert (I : i 1%nat 1%nat p (col (x_x xzero)) (col (s_h szero)) 0%nat = low).
  { unfold i, affine, col, p, mzero, mconst. cbn. ring. }
  assert (F : log_f 1%nat 1%nat p (col (x_x xzero)) (col (s_h szero)) 0%nat = ln (sigm 0)).
  { unfold log_f, affine, col, p, mzero, mconst. cbn. do 2 f_equal. ring. }
  unfold next_N, input_gate, next_M. rewrite I, F. unfold low, col, szero, mzero, mconst. cbn.
  rewrite Rmax_left, Rmult_0_r, Rplus_0_l by lra.
  eapply Rlt_le_trans; [apply (exp_increasing _ 0); lra | rewrite exp_0; lra].
Qed.

(* ---------- what `derive prove` claims, and the theorems above that say it ----------
   [proved] stabiliser: h_t is the same for (M_{t-1} + d, C_{t-1} e^-d, N_{t-1} e^-d) as for (M_{t-1}, C_{t-1}, N_{t-1}), for every d
     by Meets.meets_stabiliser
   [refuted] normaliser from zero: N_t >= 1, from zero states
     by Meets.meets_refutation
   [refuted] normaliser from any state: N_t >= 1, where N_0 >= 0
     by Meets.meets_refutation
*)
