(* The generated file meets the specification. *)
Require Import Reals Lra Lia FunctionalExtensionality BPTT Textbook Cell Spec.
Open Scope R_scope.

Theorem meets_equations : computes.
Proof.
  intros n m p x s j. unfold next_h, affine, col.
  cbn [step s_h]; cbv delta [v_h v_a_h] beta; unfold_entries; rewrite ?bsum_one; sums.
Qed.
Lemma meets_column n m p x s :
  col (s_h (step n m p x s)) = next_h n m p (col (x_x x)) (col (s_h s)).
Proof. apply functional_extensionality; intros j; apply (meets_equations n m p x s j). Qed.

Theorem meets_jacobian : jacobian.
Proof.
  intros n m p x h j k Hj Hk.
  assert (D : Dmat n 1 (fun u => fun a _ => changed h k u a) (h k) (fun a _ => delta a k)).
  { intros a b Ha Hb. unfold changed, delta. destruct (Nat.eqb a k);
      [apply derivable_pt_lim_id | apply derivable_pt_lim_const]. }
  assert (E : changed h k (h k) = h).
  { apply functional_extensionality; intros a. unfold changed.
    destruct (Nat.eqb_spec a k); subst; reflexivity. }
  set (x' := mkinp (fun a _ => x a)). set (s := mkst (fun a _ => h a)).
  assert (G := direct_h__h n m p x' s (fun u => fun a _ => changed h k u a) (h k)
    (fun a _ => delta a k) (mksmooth _ _ _) D j 0%nat Hj (le_n 1)).
  cbv beta in G. rewrite E in G. eapply D_fun; [| eapply D_eq; [exact G|]].
  - intros u. exact (meets_equations n m p x' (with_s_h s (fun a _ => changed h k u a)) j).
  - unfold j_h__h, j_a_h__h. unfold_entries.
    rewrite (bsum_delta n k (fun l => p_U p j l) Hk).
    assert (M := meets_equations n m p x' s j). cbn [step s_h] in M.
    change (with_s_h s (fun i _ => h i)) with s. rewrite M. unfold col, x', s. cbn [x_x s_h].
    change (fun i : nat => x i) with x. change (fun i : nat => h i) with h. ring.
Qed.

Lemma unrolled_is_run n m p xs s0 t :
  unrolled n m p xs (col (s_h s0)) t = col (s_h (run par inp st (step n m) p xs s0 t)).
Proof.
  induction t; [reflexivity|]. cbn [unrolled run]. rewrite IHt. symmetry. apply meets_column.
Qed.
Theorem meets_gradient : gradient.
Proof.
  intros n m l dl Hl p xs s0 T a b Ha Hb.
  assert (L := outputs_alone st (sdot n) (Ds n) szero n l dl (sdot_zero n) Hl).
  refine (D_fun _ _ _ _ _
    (grad_p_U n m _ _ _ _ L p xs s0 T a b Ha Hb (fun t _ => mksmooth _ _ _))).
  intros u. unfold Loss, loss, total. rewrite Rplus_0_r. apply bsum_ext; intros t Ht.
  rewrite unrolled_is_run. reflexivity.
Qed.

Lemma slope_shrinks b v c : Rabs b <= c -> -1 < v < 1 -> Rabs (b * (1 + -1 * v ^ 2)) <= c.
Proof.
  intros B V. rewrite Rabs_mult. assert (Q := Rabs_pos b).
  rewrite (Rabs_pos_eq (1 + -1 * v ^ 2)) by nra. nra.
Qed.
Theorem meets_vanishing : vanishing.
Proof.
  intros n m p rho xs s0 v M Hr HM Hv. induction T; intros j Hj.
  - simpl. rewrite Rmult_1_l. auto.
  - cbn [drun pow]. set (s := run _ _ _ _ _ _ _ T). set (ds := drun _ _ _ _ _ _ _ _ _ _ _ T) in *.
    replace (s_h (dstep n m p (xs T) s pzero xzero ds)) with (j_h__h n m p (xs T) s (s_h ds))
      by (cbn [dstep s_h]; rewrite <- left_h__h; unfold with_s_h; destruct ds; reflexivity).
    unfold j_h__h, j_a_h__h, v_h. unfold_entries. apply slope_shrinks; [|apply tanh_range].
    eapply Rle_trans; [apply bsum_abs|].
    eapply Rle_trans; [apply (bsum_le n _ (fun k => rho ^ T * M * Rabs (p_U p j k)))|].
    + intros k Hk. rewrite Rabs_mult. generalize (Rabs_pos (p_U p j k)) (IHT k Hk). intros. nra.
    + rewrite bsum_scal. assert (0 <= rho ^ T * M).
      { eapply Rle_trans; [apply Rabs_pos | apply (IHT j Hj)]. }
      generalize (Hr j Hj). intros. nra.
Qed.

(* ---------- what `derive prove` claims, and the theorems above that say it ----------
   [proved] recurrent Jacobian: dh_t/dh_{t-1} = diag(1 - h_t ** 2) U
     by Meets.meets_jacobian
   [proved] vanishing: |J_T ... J_1 v| <= rho^T |v| in the largest entry, where J_t = dh_t/dh_{t-1} and rho >= the row sums of |U|
     by Meets.meets_vanishing
*)
