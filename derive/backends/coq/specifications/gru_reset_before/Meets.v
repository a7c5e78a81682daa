(* The generated file meets the specification. *)
Require Import Reals Lra Lia FunctionalExtensionality BPTT Textbook Cell Spec.
Open Scope R_scope.

Theorem meets_equations : computes.
Proof.
  intros n m p x s j. unfold next_h, g, z, r, affine, col.
  cbn [step s_h]; cbv delta [v_h v_g v_z v_r v_a_g v_a_z v_a_r v_v_g] beta; unfold_entries; rewrite ?bsum_one; sums.
Qed.
Lemma meets_column n m p x s :
  col (s_h (step n m p x s)) = next_h n m p (col (x_x x)) (col (s_h s)).
Proof. apply functional_extensionality; intros j; apply (meets_equations n m p x s j). Qed.

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
    (grad_p_U_g n m _ _ _ _ L p xs s0 T a b Ha Hb (fun t _ => mksmooth _ _ _))).
  intros u. unfold Loss, loss, total. rewrite Rplus_0_r. apply bsum_ext; intros t Ht.
  rewrite unrolled_is_run. reflexivity.
Qed.
