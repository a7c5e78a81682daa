(* The generated file meets the specification. *)
Require Import Reals Lra Lia FunctionalExtensionality BPTT Textbook Cell Spec.
Open Scope R_scope.

Theorem meets_equations : computes.
Proof.
  intros n m p x s j. unfold next_h, o, peeping, next_C, f, i, g, peeping, affine, col. split;
  cbn [step s_h s_C]; cbv delta [v_h v_tanh_C v_o v_a_o v_C v_f v_i v_g v_a_f v_a_i v_a_g] beta; unfold_entries; rewrite ?bsum_one; sums.
Qed.
Lemma meets_columns n m p x s :
  col (s_h (step n m p x s)) = next_h n m p (col (x_x x)) (col (s_h s)) (col (s_C s)) /\
  col (s_C (step n m p x s)) = next_C n m p (col (x_x x)) (col (s_h s)) (col (s_C s)).
Proof. split; apply functional_extensionality; intros j; apply (meets_equations n m p x s j). Qed.

Theorem meets_path : path.
Proof.
  intros n m p x h C j k Hj Hk f0 i0 g0.
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
  - assert (K : forall q, q = with_s_C s (fun a _ => C a) ->
      j_C__C n m p x' q (fun a _ => delta a k) j 0%nat = (f0 + C j * (f0 * (1 - f0)) * col (p_p_f p) j
        + g0 * (i0 * (1 - i0)) * col (p_p_i p) j) * delta j k); [| apply K; reflexivity].
    intros q Hq.
    assert (Kf : v_f n m p x' q j 0%nat = f0) by (subst q; reflexivity).
    assert (Ki : v_i n m p x' q j 0%nat = i0) by (subst q; reflexivity).
    assert (Kg : v_g n m p x' q j 0%nat = g0) by (subst q; reflexivity).
    assert (KC : s_C q j 0%nat = C j) by (subst q; reflexivity).
    unfold j_C__C, j_f__C, j_i__C, j_a_f__C, j_a_i__C. unfold_entries.
    rewrite Kf, Ki, Kg, KC. unfold col. ring.
Qed.

Theorem meets_refutation : not_the_path_of_the_lstm.
Proof.
  set (o := mconst 1). set (z := mzero).
  exists (mkpar z z o z z z z z z z z z z z z), (fun _ => 0), (fun _ => 0), (fun _ => 1).
  intros H. set (p := mkpar z z o z z z z z z z z z z z z) in *.
  assert (G := meets_path 1%nat 1%nat p (fun _ => 0) (fun _ => 0) (fun _ => 1) 0%nat 0%nat (le_n 1) (le_n 1)).
  cbv zeta in G. assert (E := uniqueness_limite _ _ _ _ G H). clear H G.
  change (col (p_p_f p) 0%nat) with 1 in E. change (col (p_p_i p) 0%nat) with 0 in E.
  change (delta 0 0) with 1 in E.
  assert (B : 0 < f 1%nat 1%nat p (fun _ => 0) (fun _ => 0) (fun _ => 1) 0%nat < 1) by apply sigm_range.
  revert B E. generalize (f 1%nat 1%nat p (fun _ => 0) (fun _ => 0) (fun _ => 1) 0%nat). intros f B E. nra.
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

(* ---------- what `derive prove` claims, and the theorems above that say it ----------
   [refuted] path: dC_t/dC_{t-1} = diag(f_t), direct
     by Meets.meets_refutation
*)
