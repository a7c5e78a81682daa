(* The generated file meets the specification. *)
Require Import Reals Lra Lia FunctionalExtensionality BPTT Textbook Cell Spec.
Open Scope R_scope.

Theorem meets_equations : computes.
Proof.
  intros n m p x s j. unfold next_h, next_C, f, i, o, g, affine, col. split;
  cbn [step s_h s_C]; cbv delta [v_h v_tanh_C v_C v_f v_i v_o v_g v_a_f v_a_i v_a_o v_a_g] beta; unfold_entries; rewrite ?bsum_one; sums.
Qed.
Lemma meets_columns n m p x s :
  col (s_h (step n m p x s)) = next_h n m p (col (x_x x)) (col (s_h s)) (col (s_C s)) /\
  col (s_C (step n m p x s)) = next_C n m p (col (x_x x)) (col (s_h s)) (col (s_C s)).
Proof. split; apply functional_extensionality; intros j; apply (meets_equations n m p x s j). Qed.

Theorem meets_path : path.
Proof.
  intros n m p x h C j k Hj Hk.
  assert (D : Dmat n 1 (fun u => fun a _ => changed C k u a) (C k) (fun a _ => delta a k)).
  { intros a b Ha Hb. unfold changed, delta. destruct (Nat.eqb a k);
      [apply derivable_pt_lim_id | apply derivable_pt_lim_const]. }
  assert (E : changed C k (C k) = C).
  { apply functional_extensionality; intros a. unfold changed.
    destruct (Nat.eqb_spec a k); subst; reflexivity. }
  set (x' := mkinp (fun a _ => x a)). set (s := mkst (fun a _ => h a) (fun a _ => C a)).
  assert (G := direct_C__C n m p x' s (fun u => fun a _ => changed C k u a) (C k)
    (fun a _ => delta a k) (mksmooth _ _ _) D j 0%nat Hj (le_n 1)).
  cbv beta in G. rewrite E in G. eapply D_fun; [| eapply D_eq; [exact G|]].
  - intros u. exact (proj2 (meets_equations n m p x' (with_s_C s (fun a _ => changed C k u a)) j)).
  - unfold j_C__C, hprod, f. rewrite Rmult_comm. f_equal.
Qed.

Lemma unrolled_is_run n m p xs s0 t :
  unrolled n m p xs (col (s_h s0)) (col (s_C s0)) t =
  (col (s_h (run par inp st (step n m) p xs s0 t)), col (s_C (run par inp st (step n m) p xs s0 t))).
Proof.
  induction t; [reflexivity|]. cbn [unrolled run]. rewrite IHt.
  destruct (meets_columns n m p (xs t) (run par inp st (step n m) p xs s0 t)) as [H K].
  rewrite H, K. reflexivity.
Qed.
Theorem meets_gradient : gradient.
Proof.
  intros n m l dl Hl p xs s0 T a b Ha Hb.
  assert (L := outputs_alone st (sdot n) (Ds n) szero n l dl (sdot_zero n) Hl).
  refine (D_fun _ _ _ _ _
    (grad_p_U_f n m _ _ _ _ L p xs s0 T a b Ha Hb (fun t _ => mksmooth _ _ _))).
  intros u. unfold Loss, loss, total. rewrite Rplus_0_r. apply bsum_ext; intros t Ht.
  rewrite unrolled_is_run. reflexivity.
Qed.
