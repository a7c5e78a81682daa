(* Back-propagation through time, for every cell: what the files of `derive prove CELL --coq` rest on.
   Written by hand. A vector is a matrix of one column. Only entries in range matter: a matrix of
   r rows and c columns is a function of which the entries (i, j), i < r, j < c, are used.
   Derivatives are taken along every differentiable curve, which in finite dimension is as strong as
   the derivative of Frechet, and needs no product spaces. *)
Require Import Reals Lra Lia Psatz Ranalysis FunctionalExtensionality.
Open Scope R_scope.

(* ---------- sums over 0 .. n-1 ---------- *)

Fixpoint bsum (n : nat) (f : nat -> R) : R :=
  match n with O => 0 | S p => bsum p f + f p end.

Lemma bsum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> bsum n f = bsum n g.
Proof. induction n; simpl; intros H; auto. rewrite IHn, H; auto; intros; apply H; lia. Qed.
Lemma bsum_plus n f g : bsum n (fun i => f i + g i) = bsum n f + bsum n g.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma bsum_scal n c f : bsum n (fun i => c * f i) = c * bsum n f.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma bsum_scal_r n c f : bsum n (fun i => f i * c) = bsum n f * c.
Proof. induction n; simpl; [ring | rewrite IHn; ring]. Qed.
Lemma bsum_zero n f : (forall i, (i < n)%nat -> f i = 0) -> bsum n f = 0.
Proof. induction n; simpl; intros H; [auto | rewrite IHn, H; auto; lra]. Qed.
Lemma bsum_const n c : bsum n (fun _ => c) = INR n * c.
Proof. induction n; [simpl; ring | rewrite S_INR; simpl bsum; rewrite IHn; ring]. Qed.
Lemma bsum_one f : bsum 1 f = f 0%nat.
Proof. simpl. ring. Qed.
Lemma bsum_swap n m f :
  bsum n (fun i => bsum m (fun k => f i k)) = bsum m (fun k => bsum n (fun i => f i k)).
Proof.
  induction n; simpl.
  - symmetry; apply bsum_zero; auto.
  - rewrite IHn, <- bsum_plus. apply bsum_ext; auto.
Qed.
Lemma bsum_split n m f : bsum (n + m) f = bsum n f + bsum m (fun i => f (n + i)%nat).
Proof.
  induction m; simpl; [rewrite Nat.add_0_r; ring|].
  rewrite Nat.add_succ_r. simpl. rewrite IHm. ring.
Qed.
Lemma bsum_pos n f : (forall i, (i < n)%nat -> 0 < f i) -> (0 < n)%nat -> 0 < bsum n f.
Proof.
  destruct n as [|n]; [lia|]. intros H _. induction n; [rewrite bsum_one; auto|].
  change (0 < bsum (S n) f + f (S n)). apply Rplus_lt_0_compat; auto.
Qed.
Lemma bsum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> bsum n f <= bsum n g.
Proof.
  induction n; simpl; intros H; [lra|]. apply Rplus_le_compat; [apply IHn; intros|]; apply H; lia.
Qed.
Lemma bsum_abs n f : Rabs (bsum n f) <= bsum n (fun i => Rabs (f i)).
Proof.
  induction n; simpl; [rewrite Rabs_R0; lra|]. eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.
Definition delta (i k : nat) : R := if Nat.eqb i k then 1 else 0.
Lemma bsum_delta n k f : (k < n)%nat -> bsum n (fun i => f i * delta i k) = f k.
Proof.
  induction n; intros H; [lia|]. simpl. unfold delta at 2. destruct (Nat.eqb_spec n k).
  - subst. rewrite bsum_zero; [ring|]. intros i Hi. unfold delta.
    destruct (Nat.eqb_spec i k); [lia|ring].
  - rewrite IHn by lia. ring.
Qed.

(* ---------- matrices ---------- *)

Definition mat := nat -> nat -> R.
Definition mconst (c : R) : mat := fun _ _ => c.
Definition mzero : mat := mconst 0.
Definition madd (A B : mat) : mat := fun i j => A i j + B i j.
Definition mscale (c : R) (A : mat) : mat := fun i j => c * A i j.
Definition hprod (A B : mat) : mat := fun i j => A i j * B i j.
Definition hpow (A : mat) (k : nat) : mat := fun i j => A i j ^ k.
Definition mmul (k : nat) (A B : mat) : mat := fun i j => bsum k (fun l => A i l * B l j).
Definition mtr (A : mat) : mat := fun i j => A j i.
Definition mmap (f : R -> R) (A : mat) : mat := fun i j => f (A i j).
Definition mstack (r : nat) (A B : mat) : mat := fun i j => if Nat.ltb i r then A i j else B (i - r)%nat j.
Definition mrows (s : nat) (A : mat) : mat := fun i j => A (s + i)%nat j.
Definition lse (k : nat) (A : mat) : mat := fun _ j => ln (bsum k (fun l => exp (A l j))).
Definition unit_at (a b : nat) : mat := fun i j => delta i a * delta j b.
Definition update (A : mat) (a b : nat) (u : R) : mat :=
  fun i j => if Nat.eqb i a then if Nat.eqb j b then u else A i j else A i j.

Declare Scope mat_scope.
Delimit Scope mat_scope with mat.
Bind Scope mat_scope with mat.
Infix "+" := madd : mat_scope.
Infix "*" := hprod : mat_scope.               (* elementwise *)
Notation "c .* A" := (mscale c%R A) (at level 38, right associativity) : mat_scope.
Notation "A *[ k ] B" := (mmul k A B) (at level 40, left associativity) : mat_scope.
Notation "A ^T" := (mtr A) (at level 2, format "A ^T") : mat_scope.

(* A and B agree on r rows and c columns. *)
Definition meq (r c : nat) (A B : mat) := forall i j, (i < r)%nat -> (j < c)%nat -> A i j = B i j.

(* ---------- the inner product, and what is the transpose of what ---------- *)

Definition dot (r c : nat) (A B : mat) : R := bsum r (fun i => bsum c (fun j => A i j * B i j)).

Lemma dot_ext r c A A' B B' : meq r c A A' -> meq r c B B' -> dot r c A B = dot r c A' B'.
Proof.
  intros H K. apply bsum_ext; intros i Hi. apply bsum_ext; intros j Hj. rewrite H, K; auto.
Qed.
Lemma dot_left r c A A' B : meq r c A A' -> dot r c A B = dot r c A' B.
Proof. intros H. apply dot_ext; [auto | intros i j _ _; auto]. Qed.
Lemma dot_right r c A B B' : meq r c B B' -> dot r c A B = dot r c A B'.
Proof. intros H. apply dot_ext; [intros i j _ _; auto | auto]. Qed.
Ltac entries := apply bsum_ext; intros; apply bsum_ext; intros.
Lemma dot_add_l r c A B D : dot r c (A + B)%mat D = dot r c A D + dot r c B D.
Proof.
  unfold dot. rewrite <- bsum_plus. apply bsum_ext; intros. rewrite <- bsum_plus.
  apply bsum_ext; intros. unfold madd. ring.
Qed.
Lemma dot_add r c A B D : dot r c A (B + D)%mat = dot r c A B + dot r c A D.
Proof.
  unfold dot. rewrite <- bsum_plus. apply bsum_ext; intros. rewrite <- bsum_plus.
  apply bsum_ext; intros. unfold madd. ring.
Qed.
Lemma dot_scale r c k A B : dot r c A (k .* B)%mat = dot r c (k .* A)%mat B.
Proof. unfold dot, mscale. entries. ring. Qed.
Lemma dot_hprod_l r c A D B : dot r c A (D * B)%mat = dot r c (A * B)%mat D.
Proof. unfold dot, hprod. entries. ring. Qed.
Lemma dot_hprod_r r c A B D : dot r c A (B * D)%mat = dot r c (A * B)%mat D.
Proof. unfold dot, hprod. entries. ring. Qed.
Lemma dot_tr r c A D : dot r c A (mtr D) = dot c r (mtr A) D.
Proof. unfold dot, mtr. apply bsum_swap. Qed.
Lemma dot_mul_l r c k A D B : dot r c A (D *[k] B)%mat = dot r k (A *[c] B^T)%mat D.
Proof.
  unfold dot, mmul, mtr. apply bsum_ext; intros i Hi.
  rewrite (bsum_ext c _ (fun j => bsum k (fun l => A i j * B l j * D i l))).
  - rewrite bsum_swap. apply bsum_ext; intros l Hl. rewrite <- bsum_scal_r. auto.
  - intros j Hj. rewrite <- bsum_scal. apply bsum_ext; intros; ring.
Qed.
Lemma dot_mul_r r c k A B D : dot r c A (B *[k] D)%mat = dot k c (B^T *[r] A)%mat D.
Proof.
  unfold dot, mmul, mtr.
  rewrite (bsum_ext r _ (fun i => bsum k (fun l => bsum c (fun j => B i l * A i j * D l j)))).
  - rewrite bsum_swap. apply bsum_ext; intros l Hl. rewrite bsum_swap.
    apply bsum_ext; intros j Hj. rewrite <- bsum_scal_r. auto.
  - intros i Hi. rewrite bsum_swap. apply bsum_ext; intros j Hj. rewrite <- bsum_scal.
    apply bsum_ext; intros; ring.
Qed.
Lemma dot_stack r q c A B D :
  dot (r + q) c A (mstack r B D) = dot r c (mrows 0 A) B + dot q c (mrows r A) D.
Proof.
  unfold dot, mstack, mrows. rewrite bsum_split. f_equal; entries.
  - destruct (Nat.ltb_spec i r); [auto | lia].
  - destruct (Nat.ltb_spec (r + i) r); [lia|]. replace (r + i - r)%nat with i by lia. auto.
Qed.
Lemma dot_zero_l r c A : dot r c mzero A = 0.
Proof. apply bsum_zero; intros; apply bsum_zero; intros; unfold mzero, mconst; ring. Qed.
Lemma dot_zero r c A : dot r c A mzero = 0.
Proof. apply bsum_zero; intros; apply bsum_zero; intros; unfold mzero, mconst; ring. Qed.
Lemma dot_flat r c A B D : dot r c A (B * mmap (fun _ => 0) D)%mat = 0.
Proof. apply bsum_zero; intros; apply bsum_zero; intros; unfold hprod, mmap; ring. Qed.
Lemma dot_rows r r' c A B : r = r' -> dot r c A B = dot r' c A B.
Proof. intros; subst; auto. Qed.
Lemma dot_unit r c A a b : (a < r)%nat -> (b < c)%nat -> dot r c A (unit_at a b) = A a b.
Proof.
  intros Ha Hb. unfold dot, unit_at.
  rewrite (bsum_ext r _ (fun i => A i b * delta i a)); [exact (bsum_delta r a (fun i => A i b) Ha)|].
  intros i Hi. rewrite <- (bsum_delta c b (fun j => A i j) Hb), <- bsum_scal_r.
  apply bsum_ext; intros; ring.
Qed.

(* ---------- scalar functions and their slopes ---------- *)

Definition sigm (x : R) : R := / (1 + exp (- x)).
Definition softplus (x : R) : R := ln (1 + exp x).
Definition relu (x : R) : R := if Rlt_dec 0 x then x else 0.
Definition heaviside (x : R) : R := if Rlt_dec 0 x then 1 else 0.
Definition sgn (x : R) : R := if Rlt_dec 0 x then 1 else if Rlt_dec x 0 then -1 else 0.
Definition absolute (x : R) : R := if Rlt_dec 0 x then x else - x.

Lemma D_eq f x l l' : derivable_pt_lim f x l -> l = l' -> derivable_pt_lim f x l'.
Proof. intros; subst; auto. Qed.
Lemma D_fun f g x l : (forall u, f u = g u) -> derivable_pt_lim f x l -> derivable_pt_lim g x l.
Proof. intros E H e He. destruct (H e He) as [d Hd]. exists d. intros h. rewrite <- !E. apply Hd. Qed.
Lemma D_near f g x l (d : posreal) :
  (forall u, Rabs (u - x) < d -> f u = g u) -> derivable_pt_lim f x l -> derivable_pt_lim g x l.
Proof.
  intros E H e He. destruct (H e He) as [d' Hd].
  assert (P : 0 < Rmin d d') by (apply Rmin_pos; apply cond_pos).
  exists (mkposreal _ P). intros h Hh Hs. simpl in Hs.
  rewrite <- !E; [apply Hd; auto; eapply Rlt_le_trans; [apply Hs | apply Rmin_r] | |].
  - unfold Rminus. rewrite Rplus_opp_r, Rabs_R0. apply cond_pos.
  - replace (x + h - x) with h by ring. eapply Rlt_le_trans; [apply Hs | apply Rmin_l].
Qed.

Lemma slope_exp x : derivable_pt_lim exp x (exp x).
Proof. apply derivable_pt_lim_exp. Qed.
Lemma one_plus_exp x : 0 < 1 + exp x.
Proof. generalize (exp_pos x). lra. Qed.
Lemma slope_sigm x : derivable_pt_lim sigm x (sigm x * (1 - sigm x)).
Proof.
  assert (N := one_plus_exp (- x)).
  assert (D : derivable_pt_lim (fun u => 1 + exp (- u)) x (0 + exp (- x) * -1)).
  { apply (derivable_pt_lim_plus (fun _ => 1) (fun u => exp (- u)));
      [apply derivable_pt_lim_const|].
    apply (derivable_pt_lim_comp (fun u => - u) exp); [|apply derivable_pt_lim_exp].
    apply (derivable_pt_lim_opp id). apply derivable_pt_lim_id. }
  assert (Q := derivable_pt_lim_div (fun _ => 1) (fun u => 1 + exp (- u)) x _ _
                 (derivable_pt_lim_const 1 x) D ltac:(lra)).
  eapply D_eq; [eapply D_fun; [|exact Q] |].
  - intros u. unfold div_fct, sigm. field. generalize (one_plus_exp (- u)). lra.
  - unfold sigm, Rsqr. field. lra.
Qed.
Lemma cosh_pos x : 0 < cosh x.
Proof. unfold cosh. generalize (exp_pos x) (exp_pos (- x)). lra. Qed.
Lemma slope_tanh x : derivable_pt_lim tanh x (1 - tanh x ^ 2).
Proof.
  assert (N : cosh x <> 0) by (generalize (cosh_pos x); lra).
  assert (Q := derivable_pt_lim_div sinh cosh x _ _
                 (derivable_pt_lim_sinh x) (derivable_pt_lim_cosh x) N).
  eapply D_eq; [eapply D_fun; [|exact Q]; intros u; reflexivity |].
  unfold tanh, Rsqr. field. exact N.
Qed.
Lemma slope_ln x : 0 < x -> derivable_pt_lim ln x (/ x).
Proof. apply derivable_pt_lim_ln. Qed.
Lemma slope_softplus x : derivable_pt_lim softplus x (sigm x).
Proof.
  assert (N := one_plus_exp x). assert (M := exp_pos x).
  eapply D_eq.
  - apply (derivable_pt_lim_comp (fun u => 1 + exp u) ln); [|apply derivable_pt_lim_ln; auto].
    apply (derivable_pt_lim_plus (fun _ => 1) exp);
      [apply derivable_pt_lim_const | apply derivable_pt_lim_exp].
  - unfold sigm. rewrite exp_Ropp. field. lra.
Qed.
Lemma slope_sqrt x : 0 < x -> derivable_pt_lim sqrt x (/ (2 * sqrt x)).
Proof. apply derivable_pt_lim_sqrt. Qed.
Lemma slope_Rinv x : x <> 0 -> derivable_pt_lim Rinv x (-1 * (/ x) ^ 2).
Proof.
  intros N. eapply D_eq.
  - eapply D_fun; [|apply (derivable_pt_lim_div (fun _ => 1) id x 0 1)];
      [| apply derivable_pt_lim_const | apply derivable_pt_lim_id | exact N].
    intros u. unfold div_fct, id, Rdiv. ring.
  - unfold id, Rsqr. field. exact N.
Qed.
Lemma slope_sin x : derivable_pt_lim sin x (cos x).
Proof. apply derivable_pt_lim_sin. Qed.
Lemma slope_cos x : derivable_pt_lim cos x (-1 * sin x).
Proof. eapply D_eq; [apply derivable_pt_lim_cos | ring]. Qed.

(* With kinks: away from them. *)
Lemma near_sign x : x <> 0 -> exists d : posreal, forall u, Rabs (u - x) < d -> (0 < x <-> 0 < u) /\ u <> 0.
Proof.
  intros N. assert (P : 0 < Rabs x) by (apply Rabs_pos_lt; auto).
  exists (mkposreal _ P). simpl. intros u H. unfold Rabs in *.
  destruct (Rcase_abs x), (Rcase_abs (u - x)); repeat split; intros; lra.
Qed.
Ltac by_sign x H :=
  destruct (near_sign x H) as [d Hd]; let K := fresh in
  assert (K : 0 < x \/ x < 0) by (destruct (Rtotal_order x 0) as [|[]]; [auto | contradiction | auto]).
Ltac cases := repeat match goal with
  | |- context [Rlt_dec ?a ?b] => destruct (Rlt_dec a b) end; try lra; try tauto.
Lemma slope_relu x : x <> 0 -> derivable_pt_lim relu x (heaviside x).
Proof.
  intros N. by_sign x N. unfold heaviside. destruct (Rlt_dec 0 x).
  - apply (D_near id _ x 1 d); [|apply derivable_pt_lim_id].
    intros u Hu. destruct (Hd u Hu). unfold relu, id. cases.
  - apply (D_near (fun _ => 0) _ x 0 d); [|apply derivable_pt_lim_const].
    intros u Hu. destruct (Hd u Hu). unfold relu. cases.
Qed.
Lemma slope_absolute x : x <> 0 -> derivable_pt_lim absolute x (sgn x).
Proof.
  intros N. by_sign x N. unfold sgn. destruct (Rlt_dec 0 x).
  - apply (D_near id _ x 1 d); [|apply derivable_pt_lim_id].
    intros u Hu. destruct (Hd u Hu). unfold absolute, id. cases.
  - destruct (Rlt_dec x 0); [|lra].
    apply (D_near (fun u => - u) _ x (-1) d);
      [|apply (derivable_pt_lim_opp id); apply derivable_pt_lim_id].
    intros u Hu. destruct (Hd u Hu). unfold absolute. cases.
Qed.
Lemma slope_heaviside x : x <> 0 -> derivable_pt_lim heaviside x 0.
Proof.
  intros N. by_sign x N.
  apply (D_near (fun _ => heaviside x) _ x 0 d); [|apply derivable_pt_lim_const].
  intros u Hu. destruct (Hd u Hu). unfold heaviside. cases.
Qed.
Lemma slope_frac x : frac_part x <> 0 -> derivable_pt_lim frac_part x 1.
Proof.
  intros N. assert (B := base_fp x). assert (0 < frac_part x < 1) as [L U] by lra. clear N B.
  assert (P : 0 < Rmin (frac_part x) (1 - frac_part x)) by (apply Rmin_pos; lra).
  apply (D_near (fun u => u - IZR (Int_part x)) _ x 1 (mkposreal _ P)).
  - simpl. intros u Hu. assert (Q := Rmin_l (frac_part x) (1 - frac_part x)).
    assert (Q' := Rmin_r (frac_part x) (1 - frac_part x)).
    unfold frac_part in *. f_equal. f_equal. unfold Rabs in Hu.
    assert (IZR (Int_part x) < u < IZR (Int_part x) + 1) by (destruct (Rcase_abs (u - x)); lra).
    destruct (base_Int_part u) as [A B]. apply Z.le_antisymm.
    + apply Z.lt_succ_r. apply lt_IZR. rewrite succ_IZR. lra.
    + apply Z.lt_succ_r. apply lt_IZR. rewrite succ_IZR. lra.
  - eapply D_eq; [apply (derivable_pt_lim_minus id (fun _ => IZR (Int_part x)));
      [apply derivable_pt_lim_id | apply derivable_pt_lim_const] | ring].
Qed.
Lemma slope_sgn x : x <> 0 -> derivable_pt_lim sgn x 0.
Proof.
  intros N. by_sign x N.
  apply (D_near (fun _ => sgn x) _ x 0 d); [|apply derivable_pt_lim_const].
  intros u Hu. destruct (Hd u Hu). unfold sgn. cases.
Qed.

(* Ranges and bounds of slopes. *)
Lemma sigm_range x : 0 < sigm x < 1.
Proof.
  unfold sigm. assert (N := exp_pos (- x)). split; [apply Rinv_0_lt_compat; lra|].
  rewrite <- Rinv_1 at 2. apply Rinv_lt_contravar; lra.
Qed.
Lemma tanh_range x : -1 < tanh x < 1.
Proof.
  assert (C := cosh_pos x). assert (T : tanh x * cosh x = sinh x) by (unfold tanh; field; lra).
  unfold sinh, cosh in *. generalize (exp_pos (- x)) (exp_pos x). split; nra.
Qed.
Lemma heaviside_range x : 0 <= heaviside x <= 1.
Proof. unfold heaviside. cases. Qed.
Lemma sgn_range x : -1 <= sgn x <= 1.
Proof. unfold sgn. cases. Qed.
Lemma sigm_slope_range x : 0 < sigm x * (1 - sigm x) <= / 4.
Proof.
  generalize (sigm_range x) (Rle_0_sqr (sigm x - / 2)). unfold Rsqr. intros. split; [nra | lra].
Qed.
Lemma tanh_slope_range x : 0 < 1 - tanh x ^ 2 <= 1.
Proof. generalize (tanh_range x) (Rle_0_sqr (tanh x)). unfold Rsqr. intros. split; nra. Qed.

Lemma sigm_steep x : Rabs (sigm x * (1 - sigm x)) <= / 4.
Proof. generalize (sigm_slope_range x). intros. rewrite Rabs_right; lra. Qed.
Lemma tanh_steep x : Rabs (1 - tanh x ^ 2) <= 1.
Proof. generalize (tanh_slope_range x). intros. rewrite Rabs_right; lra. Qed.
Lemma softplus_steep x : Rabs (sigm x) <= 1.
Proof. generalize (sigm_range x). intros. rewrite Rabs_right; lra. Qed.
Lemma sin_steep x : Rabs (cos x) <= 1.
Proof. apply Rabs_le. generalize (COS_bound x). lra. Qed.
Lemma cos_steep x : Rabs (-1 * sin x) <= 1.
Proof. apply Rabs_le. generalize (SIN_bound x). lra. Qed.
Lemma relu_steep x : Rabs (heaviside x) <= 1.
Proof. apply Rabs_le. generalize (heaviside_range x). lra. Qed.
Lemma absolute_steep x : Rabs (sgn x) <= 1.
Proof. apply Rabs_le. generalize (sgn_range x). lra. Qed.

(* ---------- curves of matrices, and their derivatives ---------- *)

Definition Dmat (r c : nat) (F : R -> mat) (z : R) (dF : mat) :=
  forall i j, (i < r)%nat -> (j < c)%nat -> derivable_pt_lim (fun u => F u i j) z (dF i j).

Lemma Dmat_eq r c F z A B : Dmat r c F z A -> meq r c A B -> Dmat r c F z B.
Proof. intros H E i j Hi Hj. eapply D_eq; [apply H | apply E]; auto. Qed.
Lemma Dmat_rows r r' c F z A : r = r' -> Dmat r c F z A -> Dmat r' c F z A.
Proof. intros; subst; auto. Qed.
Lemma D_const r c A z : Dmat r c (fun _ => A) z mzero.
Proof. intros i j Hi Hj. apply (derivable_pt_lim_const (A i j)). Qed.
Lemma D_add r c F G z A B : Dmat r c F z A -> Dmat r c G z B ->
  Dmat r c (fun u => F u + G u)%mat z (A + B)%mat.
Proof.
  intros HF HG i j Hi Hj. apply (derivable_pt_lim_plus (fun u => F u i j) (fun u => G u i j)); auto.
Qed.
Lemma D_scale r c k F z A : Dmat r c F z A -> Dmat r c (fun u => k .* F u)%mat z (k .* A)%mat.
Proof. intros H i j Hi Hj. apply (derivable_pt_lim_scal (fun u => F u i j) k). auto. Qed.
Lemma D_hprod r c F G z A B : Dmat r c F z A -> Dmat r c G z B ->
  Dmat r c (fun u => F u * G u)%mat z (A * G z + F z * B)%mat.
Proof.
  intros HF HG i j Hi Hj. apply (derivable_pt_lim_mult (fun u => F u i j) (fun u => G u i j)); auto.
Qed.
Lemma D_hprod_l r c F B z A : Dmat r c F z A -> Dmat r c (fun u => F u * B)%mat z (A * B)%mat.
Proof.
  intros H. eapply Dmat_eq; [apply (D_hprod r c F (fun _ => B)); [exact H | apply D_const]|].
  intros i j _ _. unfold hprod, madd, mzero, mconst. ring.
Qed.
Lemma D_hprod_r r c B F z A : Dmat r c F z A -> Dmat r c (fun u => B * F u)%mat z (B * A)%mat.
Proof.
  intros H. eapply Dmat_eq; [apply (D_hprod r c (fun _ => B) F); [apply D_const | exact H]|].
  intros i j _ _. unfold hprod, madd, mzero, mconst. ring.
Qed.
Lemma D_add_l r c F B z A : Dmat r c F z A -> Dmat r c (fun u => F u + B)%mat z A.
Proof.
  intros H. eapply Dmat_eq; [apply (D_add r c F (fun _ => B)); [exact H | apply D_const]|].
  intros i j _ _. unfold madd, mzero, mconst. ring.
Qed.
Lemma D_add_r r c B F z A : Dmat r c F z A -> Dmat r c (fun u => B + F u)%mat z A.
Proof.
  intros H. eapply Dmat_eq; [apply (D_add r c (fun _ => B) F); [apply D_const | exact H]|].
  intros i j _ _. unfold madd, mzero, mconst. ring.
Qed.
Lemma D_pow1 f x l n : derivable_pt_lim f x l ->
  derivable_pt_lim (fun u => f u ^ n) x (INR n * f x ^ pred n * l).
Proof.
  intros H. eapply D_eq; [apply (derivable_pt_lim_comp f (fun y => y ^ n)); [exact H|] | reflexivity].
  apply derivable_pt_lim_pow.
Qed.
Lemma D_pow r c F n z A : Dmat r c F z A ->
  Dmat r c (fun u => hpow (F u) n) z (A * (IZR (Z.of_nat n) .* hpow (F z) (pred n)))%mat.
Proof.
  intros H i j Hi Hj. eapply D_eq; [apply D_pow1; apply H; auto|].
  rewrite INR_IZR_INZ. unfold hprod, mscale, hpow. ring.
Qed.
Lemma D_bsum n (f : R -> nat -> R) x df :
  (forall i, (i < n)%nat -> derivable_pt_lim (fun u => f u i) x (df i)) ->
  derivable_pt_lim (fun u => bsum n (f u)) x (bsum n df).
Proof.
  induction n; simpl; intros H; [apply (derivable_pt_lim_const 0)|].
  apply (derivable_pt_lim_plus (fun u => bsum n (f u)) (fun u => f u n)); auto.
Qed.
Lemma D_mul r c k F G z A B : Dmat r k F z A -> Dmat k c G z B ->
  Dmat r c (fun u => F u *[k] G u)%mat z (A *[k] G z + F z *[k] B)%mat.
Proof.
  intros HF HG i j Hi Hj. unfold mmul, madd. rewrite <- bsum_plus.
  apply (D_bsum k (fun u l => F u i l * G u l j)). intros l Hl.
  apply (derivable_pt_lim_mult (fun u => F u i l) (fun u => G u l j)); auto.
Qed.
Lemma D_mul_l r c k F B z A : Dmat r k F z A -> Dmat r c (fun u => F u *[k] B)%mat z (A *[k] B)%mat.
Proof.
  intros H i j Hi Hj. unfold mmul. apply (D_bsum k (fun u l => F u i l * B l j)). intros l Hl.
  eapply D_eq; [apply (derivable_pt_lim_mult (fun u => F u i l) (fun _ => B l j));
    [apply H; auto | apply derivable_pt_lim_const] | unfold fct_cte; ring].
Qed.
Lemma D_mul_r r c k A G z B : Dmat k c G z B -> Dmat r c (fun u => A *[k] G u)%mat z (A *[k] B)%mat.
Proof.
  intros H i j Hi Hj. unfold mmul. apply (D_bsum k (fun u l => A i l * G u l j)). intros l Hl.
  apply (derivable_pt_lim_scal (fun u => G u l j) (A i l)). auto.
Qed.
Lemma D_tr r c F z A : Dmat c r F z A -> Dmat r c (fun u => mtr (F u)) z (mtr A).
Proof. intros H i j Hi Hj. apply (H j i); auto. Qed.
Lemma D_stack r q c F G z A B : Dmat r c F z A -> Dmat q c G z B ->
  Dmat (r + q) c (fun u => mstack r (F u) (G u)) z (mstack r A B).
Proof.
  intros HF HG i j Hi Hj. unfold mstack. destruct (Nat.ltb_spec i r); [auto | apply HG; lia].
Qed.
Lemma D_map r c f f' F z A :
  (forall i j, (i < r)%nat -> (j < c)%nat -> derivable_pt_lim f (F z i j) (f' (F z i j))) ->
  Dmat r c F z A -> Dmat r c (fun u => mmap f (F u)) z (A * mmap f' (F z))%mat.
Proof.
  intros Hf H i j Hi Hj. eapply D_eq; [apply (derivable_pt_lim_comp (fun u => F u i j) f); auto|].
  unfold hprod, mmap. ring.
Qed.
Definition softmax (k : nat) (A : mat) : mat := fun l j => exp (A l j + -1 * lse k A 0%nat j).
Lemma D_lse c k F z A : (0 < k)%nat -> Dmat k c F z A ->
  Dmat 1 c (fun u => lse k (F u)) z (mconst 1 *[k] (A * softmax k (F z)))%mat.
Proof.
  intros Hk H i j Hi Hj. unfold lse, mmul, mconst, hprod, softmax, lse.
  assert (P : 0 < bsum k (fun l => exp (F z l j))) by (apply bsum_pos; auto; intros; apply exp_pos).
  eapply D_eq.
  - apply (derivable_pt_lim_comp (fun u => bsum k (fun l => exp (F u l j))) ln);
      [|apply derivable_pt_lim_ln; exact P].
    apply (D_bsum k (fun u l => exp (F u l j))). intros l Hl.
    apply (derivable_pt_lim_comp (fun u => F u l j) exp); [apply H; auto | apply derivable_pt_lim_exp].
  - rewrite <- bsum_scal. apply bsum_ext; intros l Hl. rewrite exp_plus.
    replace (-1 * ln (bsum k (fun l0 => exp (F z l0 j))))
      with (- ln (bsum k (fun l0 => exp (F z l0 j)))) by ring.
    rewrite exp_Ropp, exp_ln by exact P. ring.
Qed.
(* The square of a curve's length: there are losses. *)
Lemma D_square r c F z A : Dmat r c F z A ->
  derivable_pt_lim (fun u => dot r c (F u) (F u)) z (dot r c (2 .* F z)%mat A).
Proof.
  intros H. unfold dot, mscale.
  apply (D_bsum r (fun u i => bsum c (fun j => F u i j * F u i j))). intros i Hi.
  apply (D_bsum c (fun u j => F u i j * F u i j)). intros j Hj.
  eapply D_eq; [apply (derivable_pt_lim_mult (fun u => F u i j) (fun u => F u i j)); auto | ring].
Qed.
Lemma D_update r c A a b z : Dmat r c (fun u => update A a b u) z (unit_at a b).
Proof.
  intros i j Hi Hj. unfold update, unit_at, delta. destruct (Nat.eqb i a), (Nat.eqb j b);
    (eapply D_eq; [first [apply derivable_pt_lim_id | apply derivable_pt_lim_const] | ring]).
Qed.
Lemma update_same A a b : update A a b (A a b) = A.
Proof.
  apply functional_extensionality; intros i. apply functional_extensionality; intros j.
  unfold update. destruct (Nat.eqb_spec i a), (Nat.eqb_spec j b); subst; auto.
Qed.

(* ---------- back-propagation through time, once for all cells ----------
   The reverse sweep as kernels run it: at step t the cotangent dy t arrives at the output, and what
   later steps carry at the states; the step's adjoint gives what parameters, inputs and the lagged
   states get. At the end, the cotangent of the final states arrives. *)

Section BPTT.
  Variables (P X S Y : Type).
  Variables (padd : P -> P -> P) (pzero : P) (pdot : P -> P -> R).
  Variables (xdot : X -> X -> R) (sdot : S -> S -> R) (ydot : Y -> Y -> R).
  Variable step : P -> X -> S -> S.                    (* one step of the cell *)
  Variable dstep : P -> X -> S -> P -> X -> S -> S.    (* its differential *)
  Variable out : S -> Y.                               (* the output is a state *)
  Variable dout : S -> Y.
  Variable adjP : P -> X -> S -> Y -> S -> P.          (* its adjoint, in three blocks *)
  Variable adjX : P -> X -> S -> Y -> S -> X.
  Variable adjS : P -> X -> S -> Y -> S -> S.
  Hypothesis pdot_add : forall a b d, pdot (padd a b) d = pdot a d + pdot b d.
  Hypothesis pdot_zero : forall d, pdot pzero d = 0.
  Hypothesis adjoint : forall p x s dy carry dp dx ds,
    ydot dy (dout (dstep p x s dp dx ds)) + sdot carry (dstep p x s dp dx ds)
    = pdot (adjP p x s dy carry) dp + xdot (adjX p x s dy carry) dx + sdot (adjS p x s dy carry) ds.

  Fixpoint run (p : P) (xs : nat -> X) (s0 : S) (t : nat) : S :=
    match t with O => s0 | Datatypes.S t' => step p (xs t') (run p xs s0 t') end.
  Fixpoint drun p xs s0 (dp : P) (dxs : nat -> X) (ds0 : S) (t : nat) : S :=
    match t with
    | O => ds0
    | Datatypes.S t' => dstep p (xs t') (run p xs s0 t') dp (dxs t') (drun p xs s0 dp dxs ds0 t')
    end.

  Lemma run_chain p xs s0 k T :
    run p xs s0 (k + T) = run p (fun t => xs (k + t)%nat) (run p xs s0 k) T.
  Proof. induction T; [now rewrite Nat.add_0_r|]. rewrite Nat.add_succ_r. simpl. now rewrite IHT. Qed.

  (* The sweep over the steps before T, when `carry` arrives at the state T. *)
  Fixpoint gradP p xs s0 (dy : nat -> Y) (T : nat) (carry : S) : P :=
    match T with
    | O => pzero
    | Datatypes.S t => padd (adjP p (xs t) (run p xs s0 t) (dy t) carry)
                            (gradP p xs s0 dy t (adjS p (xs t) (run p xs s0 t) (dy t) carry))
    end.
  Fixpoint gradX p xs s0 (dy : nat -> Y) (T : nat) (carry : S) (k : nat) : X :=
    match T with
    | O => adjX p (xs k) (run p xs s0 k) (dy k) carry    (* not reached for k < T *)
    | Datatypes.S t => if Nat.eqb k t then adjX p (xs t) (run p xs s0 t) (dy t) carry
                       else gradX p xs s0 dy t (adjS p (xs t) (run p xs s0 t) (dy t) carry) k
    end.
  Fixpoint gradS p xs s0 (dy : nat -> Y) (T : nat) (carry : S) : S :=
    match T with
    | O => carry
    | Datatypes.S t => gradS p xs s0 dy t (adjS p (xs t) (run p xs s0 t) (dy t) carry)
    end.

  Theorem sweep_is_adjoint : forall p xs s0 dy dp dxs ds0 T carry,
    bsum T (fun t => ydot (dy t) (dout (drun p xs s0 dp dxs ds0 (Datatypes.S t))))
    + sdot carry (drun p xs s0 dp dxs ds0 T)
    = pdot (gradP p xs s0 dy T carry) dp
      + bsum T (fun t => xdot (gradX p xs s0 dy T carry t) (dxs t))
      + sdot (gradS p xs s0 dy T carry) ds0.
  Proof.
    intros p xs s0 dy dp dxs ds0. induction T; intros carry.
    - simpl. rewrite pdot_zero. ring.
    - specialize (IHT (adjS p (xs T) (run p xs s0 T) (dy T) carry)).
      assert (A := adjoint p (xs T) (run p xs s0 T) (dy T) carry dp (dxs T)
                     (drun p xs s0 dp dxs ds0 T)).
      cbn [bsum gradP gradX gradS]. rewrite pdot_add, Nat.eqb_refl.
      rewrite (bsum_ext T (fun t => xdot (if Nat.eqb t T then _ else _) (dxs t))
        (fun t => xdot (gradX p xs s0 dy T (adjS p (xs T) (run p xs s0 T) (dy T) carry) t) (dxs t))).
      2: { intros t Ht. destruct (Nat.eqb_spec t T); [lia | reflexivity]. }
      cbn [drun] in *. lra.
  Qed.

  Variable DP : (R -> P) -> R -> P -> Prop.
  Variable DX : (R -> X) -> R -> X -> Prop.
  Variable DS : (R -> S) -> R -> S -> Prop.
  Variable DY : (R -> Y) -> R -> Y -> Prop.
  Variable smooth_at : P -> X -> S -> Prop.   (* the step is away from kinks and poles *)
  Hypothesis step_derivative : forall p x s z dp dx ds, smooth_at (p z) (x z) (s z) ->
    DP p z dp -> DX x z dx -> DS s z ds ->
    DS (fun u => step (p u) (x u) (s u)) z (dstep (p z) (x z) (s z) dp dx ds).
  Hypothesis out_derivative : forall s z ds, DS s z ds -> DY (fun u => out (s u)) z (dout ds).

  Lemma run_derivative : forall p (xs : R -> nat -> X) s0 z dp dxs ds0 T,
    (forall t, (t < T)%nat -> smooth_at (p z) (xs z t) (run (p z) (xs z) (s0 z) t)) ->
    DP p z dp -> (forall t, (t < T)%nat -> DX (fun u => xs u t) z (dxs t)) -> DS s0 z ds0 ->
    DS (fun u => run (p u) (xs u) (s0 u) T) z (drun (p z) (xs z) (s0 z) dp dxs ds0 T).
  Proof.
    intros p xs s0 z dp dxs ds0 T. induction T; simpl; intros Hs Hp Hx H0; auto.
    apply (step_derivative p (fun u => xs u T) (fun u => run (p u) (xs u) (s0 u) T));
      auto.
  Qed.

  (* A loss of every output and of the final states, with its gradients. *)
  Definition loss (l : nat -> Y -> R) (lT : S -> R) p xs s0 T : R :=
    bsum T (fun t => l t (out (run p xs s0 (Datatypes.S t)))) + lT (run p xs s0 T).

  Theorem bptt : forall (l : nat -> Y -> R) (dl : nat -> Y -> Y) (lT : S -> R) (dlT : S -> S),
    (forall t y z dy, DY y z dy -> derivable_pt_lim (fun u => l t (y u)) z (ydot (dl t (y z)) dy)) ->
    (forall s z ds, DS s z ds -> derivable_pt_lim (fun u => lT (s u)) z (sdot (dlT (s z)) ds)) ->
    forall p (xs : R -> nat -> X) s0 z dp dxs ds0 T,
    (forall t, (t < T)%nat -> smooth_at (p z) (xs z t) (run (p z) (xs z) (s0 z) t)) ->
    DP p z dp -> (forall t, (t < T)%nat -> DX (fun u => xs u t) z (dxs t)) -> DS s0 z ds0 ->
    let state t := run (p z) (xs z) (s0 z) t in
    let dy t := dl t (out (state (Datatypes.S t))) in
    let carry := dlT (state T) in
    derivable_pt_lim (fun u => loss l lT (p u) (xs u) (s0 u) T) z
      (pdot (gradP (p z) (xs z) (s0 z) dy T carry) dp
       + bsum T (fun t => xdot (gradX (p z) (xs z) (s0 z) dy T carry t) (dxs t))
       + sdot (gradS (p z) (xs z) (s0 z) dy T carry) ds0).
  Proof.
    intros l dl lT dlT Hl HlT p xs s0 z dp dxs ds0 T Hs Hp Hx H0 state dy carry.
    rewrite <- sweep_is_adjoint. unfold loss.
    apply (derivable_pt_lim_plus
      (fun u => bsum T (fun t => l t (out (run (p u) (xs u) (s0 u) (Datatypes.S t)))))
      (fun u => lT (run (p u) (xs u) (s0 u) T))).
    - apply (D_bsum T (fun u t => l t (out (run (p u) (xs u) (s0 u) (Datatypes.S t))))).
      intros t Ht. apply (Hl t (fun u => out (run (p u) (xs u) (s0 u) (Datatypes.S t)))).
      apply out_derivative. apply run_derivative; intros; auto; [apply Hs | apply Hx]; lia.
    - apply (HlT (fun u => run (p u) (xs u) (s0 u) T)). apply run_derivative; auto.
  Qed.

  (* The same, when one argument moves and the others stand still. *)
  Variables (xzero : X) (szero : S).
  Hypothesis pdot_still : forall a, pdot a pzero = 0.
  Hypothesis xdot_still : forall a, xdot a xzero = 0.
  Hypothesis sdot_still : forall a, sdot a szero = 0.
  Hypothesis DP_const : forall p z, DP (fun _ => p) z pzero.
  Hypothesis DX_const : forall x z, DX (fun _ => x) z xzero.
  Hypothesis DS_const : forall s z, DS (fun _ => s) z szero.

  Definition losses (l : nat -> Y -> R) dl (lT : S -> R) dlT : Prop :=
    (forall t y z dy, DY y z dy -> derivable_pt_lim (fun u => l t (y u)) z (ydot (dl t (y z)) dy))
    /\ (forall s z ds, DS s z ds -> derivable_pt_lim (fun u => lT (s u)) z (sdot (dlT (s z)) ds)).
  Definition smooth_run p xs s0 T := forall t, (t < T)%nat -> smooth_at p (xs t) (run p xs s0 t).
  Definition arriving (dl : nat -> Y -> Y) p xs s0 t := dl t (out (run p xs s0 (Datatypes.S t))).
  Definition grad_parameters dl dlT p xs s0 T :=
    gradP p xs s0 (arriving dl p xs s0) T (dlT (run p xs s0 T)).
  Definition grad_input dl dlT p xs s0 T :=
    gradX p xs s0 (arriving dl p xs s0) T (dlT (run p xs s0 T)).
  Definition grad_state dl dlT p xs s0 T :=
    gradS p xs s0 (arriving dl p xs s0) T (dlT (run p xs s0 T)).
  Definition input_at (k : nat) (x : X) (xs : nat -> X) : nat -> X :=
    fun t => if Nat.eqb t k then x else xs t.

  Theorem bptt_parameters l dl lT dlT : losses l dl lT dlT -> forall p xs s0 z dp T,
    smooth_run (p z) xs s0 T -> DP p z dp ->
    derivable_pt_lim (fun u => loss l lT (p u) xs s0 T) z
      (pdot (grad_parameters dl dlT (p z) xs s0 T) dp).
  Proof.
    intros [Hl HT] p xs s0 z dp T Hs Hp.
    eapply D_eq; [apply (bptt l dl lT dlT Hl HT p (fun _ => xs) (fun _ => s0) z dp
                          (fun _ => xzero) szero T Hs Hp); auto|].
    cbv zeta. rewrite sdot_still, bsum_zero; [unfold grad_parameters, arriving; ring | auto].
  Qed.
  Theorem bptt_initial l dl lT dlT : losses l dl lT dlT -> forall p xs s0 z ds T,
    smooth_run p xs (s0 z) T -> DS s0 z ds ->
    derivable_pt_lim (fun u => loss l lT p xs (s0 u) T) z
      (sdot (grad_state dl dlT p xs (s0 z) T) ds).
  Proof.
    intros [Hl HT] p xs s0 z ds T Hs H0.
    eapply D_eq; [apply (bptt l dl lT dlT Hl HT (fun _ => p) (fun _ => xs) s0 z pzero
                          (fun _ => xzero) ds T Hs); auto|].
    cbv zeta. rewrite pdot_still, bsum_zero; [unfold grad_state, arriving; ring | auto].
  Qed.
  Theorem bptt_input l dl lT dlT : losses l dl lT dlT -> forall p xs s0 z x dx k T,
    smooth_run p (input_at k (x z) xs) s0 T -> (k < T)%nat -> DX x z dx ->
    derivable_pt_lim (fun u => loss l lT p (input_at k (x u) xs) s0 T) z
      (xdot (grad_input dl dlT p (input_at k (x z) xs) s0 T k) dx).
  Proof.
    intros [Hl HT] p xs s0 z x dx k T Hs Hk Hx.
    eapply D_eq; [apply (bptt l dl lT dlT Hl HT (fun _ => p) (fun u => input_at k (x u) xs)
        (fun _ => s0) z pzero (fun t => if Nat.eqb t k then dx else xzero) szero T Hs); auto|].
    - intros t Ht. unfold input_at. destruct (Nat.eqb t k); auto.
    - cbv zeta. rewrite pdot_still, sdot_still. fold (arriving dl p (input_at k (x z) xs) s0).
      fold (grad_input dl dlT p (input_at k (x z) xs) s0 T).
      set (g := grad_input dl dlT p (input_at k (x z) xs) s0 T).
      assert (E : bsum T (fun t => xdot (g t) (if Nat.eqb t k then dx else xzero)) = xdot (g k) dx);
        [| unfold g, grad_input, arriving in *; rewrite E; ring].
      rewrite (bsum_ext T _ (fun t => xdot (g k) dx * delta t k)).
      + exact (bsum_delta T k (fun _ => xdot (g k) dx) Hk).
      + intros t Ht. unfold delta. destruct (Nat.eqb_spec t k);
          [subst; ring | rewrite xdot_still; ring].
  Qed.
End BPTT.

(* ---------- an additive path over T steps ----------
   If one step multiplies a change of a state, entry by entry, by k t (everything else frozen), then
   T steps multiply it by the product. *)

Fixpoint product (k : nat -> mat) (T : nat) : mat :=
  match T with O => mconst 1 | S t => (k t * product k t)%mat end.

Lemma D_path r c (C : R -> nat -> mat) (k : nat -> mat) z d T :
  Dmat r c (fun u => C u 0%nat) z d ->
  (forall t D, (t < T)%nat -> Dmat r c (fun u => C u t) z D ->
    Dmat r c (fun u => C u (S t)) z (k t * D)%mat) ->
  Dmat r c (fun u => C u T) z (product k T * d)%mat.
Proof.
  intros H0 Hstep. assert (G : forall t, (t <= T)%nat -> Dmat r c (fun u => C u t) z (product k t * d)%mat).
  { induction t; intros Ht.
    - eapply Dmat_eq; [exact H0|]. intros i j _ _. simpl. unfold hprod, mconst. ring.
    - eapply Dmat_eq; [apply Hstep; [lia | apply IHt; lia]|].
      intros i j _ _. simpl. unfold hprod. ring. }
  apply G. lia.
Qed.

(* ---------- bounds at the corners of a box ----------
   A polynomial that is of degree one in each of its variables is largest at a corner. *)

Lemma abs_le e M : e <= M -> - e <= M -> Rabs e <= M.
Proof. intros. apply Rabs_le. lra. Qed.
Lemma abs_lt e M : e < M -> - e < M -> Rabs e < M.
Proof. intros. apply Rabs_def1; lra. Qed.
Lemma abs_le_inv e M : Rabs e <= M -> - M <= e <= M.
Proof. unfold Rabs. destruct (Rcase_abs e); lra. Qed.
Lemma corner_le F l u x M : l <= x <= u -> (forall y, F y = F 0 + y * (F 1 - F 0)) ->
  F l <= M -> F u <= M -> F x <= M.
Proof.
  intros H L A B. rewrite (L x). rewrite (L l) in A. rewrite (L u) in B.
  generalize (F 0) (F 1 - F 0) A B. intros c d. destruct (Rle_dec 0 d); nra.
Qed.
Lemma corner_lt F l u x M : l < x < u -> (forall y, F y = F 0 + y * (F 1 - F 0)) ->
  F l <= M -> F u <= M -> F l < M \/ F u < M -> F x < M.
Proof.
  intros H L A B. rewrite (L x). rewrite (L l) in A |- *. rewrite (L u) in B |- *.
  generalize (F 0) (F 1 - F 0) A B. intros c d. intros A' B' [C|C].
  - destruct (Rle_dec 0 d); nra.
  - destruct (Rle_dec 0 d); nra.
Qed.
Ltac inside H l x u := let K := fresh in assert (K : l <= x <= u) by lra; clear H.
Ltac closed := repeat match goal with
  | H : ?l < ?x < ?u |- _ => inside H l x u
  | H : ?l < ?x <= ?u |- _ => inside H l x u
  | H : ?l <= ?x < ?u |- _ => inside H l x u end.
Ltac corners := match goal with
  | H : ?l <= ?x <= ?u |- ?e <= ?m => lazymatch e with context [x] =>
      lazymatch eval pattern x in e with ?F _ =>
        apply (corner_le F l u x m H); [intros; ring | cbv beta; corners | cbv beta; corners] end end
  | |- _ => lra end.
Ltac at_corners := closed; first [apply abs_le; corners | corners].
Ltac strict_corners := match goal with
  | H : ?l < ?x < ?u |- ?e < ?m => lazymatch e with context [x] =>
      lazymatch eval pattern x in e with ?F _ =>
        apply (corner_lt F l u x m H);
          [ intros; ring | cbv beta; closed; corners | cbv beta; closed; corners
          | cbv beta; first [left; strict_corners | right; strict_corners] ] end end
  | |- _ => lra end.
Ltac strictly_at_corners := apply abs_lt; strict_corners.

(* Exponentials of what is at most 0, by the signs of what stands in relu. *)
Lemma exp_at_most_one e : e <= 0 -> 0 < exp e <= 1.
Proof.
  intros H. split; [apply exp_pos|]. rewrite <- exp_0. destruct (Rle_lt_or_eq_dec e 0 H).
  - left. apply exp_increasing. assumption.
  - subst. lra.
Qed.
Ltac by_signs :=
  repeat match goal with |- context [exp ?e] => generalize (exp_pos e); generalize (exp e); intros end;
  unfold relu; cases.

(* Gates sigm a and 1 - sigm (a - b), b >= 0: the least bound of the state is exp b. *)
Lemma shifted_gate a b : 0 <= b -> 0 < 1 - sigm (a - b) <= exp b * (1 - sigm a).
Proof.
  intros H. generalize (sigm_range (a - b)). split; [lra|]. unfold sigm, Rminus at 1.
  replace (exp (- (a - b))) with (exp b * exp (- a)) by (rewrite <- exp_plus; f_equal; ring).
  assert (1 <= exp b) by (destruct (Rle_lt_or_eq_dec 0 b H);
    [rewrite <- exp_0; left; apply exp_increasing; assumption | subst; rewrite exp_0; lra]).
  assert (P := exp_pos (- a)). set (e := exp (- a)) in *. set (q := exp b) in *.
  replace (1 + - / (1 + q * e)) with (q * e * / (1 + q * e)) by (field; nra).
  replace (q * (1 - / (1 + e))) with (q * e * / (1 + e)) by (field; lra).
  apply Rmult_le_compat_l; [nra|]. apply Rinv_le_contravar; nra.
Qed.
Lemma shifted_step a b g s M : 0 <= b -> -1 < g < 1 -> exp b <= M -> Rabs s <= M ->
  Rabs (sigm a * s + (1 - sigm (a - b)) * g) <= M.
Proof.
  intros H G B S. assert (Q := shifted_gate a b H). assert (R := sigm_range a).
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
  rewrite (Rabs_right (sigm a)), (Rabs_right (1 - sigm (a - b))) by lra.
  assert (Rabs g <= 1) by (apply Rabs_le; lra). generalize (Rabs_pos g) (Rabs_pos s). nra.
Qed.
Lemma shifted_least b G : G < exp b -> exists a g, -1 < g < 1 /\
  G < sigm a * G + (1 - sigm (a - b)) * g.
Proof.
  intros H. assert (P := exp_pos b). destruct (Rle_dec G 0) as [N|N].
  - exists 0, (/ 2). split; [lra|]. generalize (sigm_range 0) (sigm_range (0 - b)). nra.
  - (* with y = exp a, what is added is g / (1 + y / exp b), and what is lost G / (1 + y) *)
    set (q := exp b) in *. set (g := (G + q) / (2 * q)).
    assert (K : g * q = (G + q) / 2) by (unfold g; field; lra).
    assert (0 < g < 1) by (split; [apply Rmult_lt_reg_r with q; lra | apply Rmult_lt_reg_r with q; lra]).
    set (y := 2 * q * G / (q - G)). assert (Y : y * (q - G) = 2 * q * G) by (unfold y; field; lra).
    assert (0 < y) by (apply Rmult_lt_reg_r with (q - G); [lra|]; rewrite Y; nra).
    exists (ln y), g. split; [lra|]. unfold sigm.
    replace (exp (- ln y)) with (/ y) by (rewrite exp_Ropp, exp_ln; auto).
    replace (exp (- (ln y - b))) with (q / y).
    2: { replace (- (ln y - b)) with (b + - ln y) by ring.
         rewrite exp_plus, exp_Ropp, exp_ln by assumption. reflexivity. }
    apply Rminus_gt_0_lt.
    replace (/ (1 + / y) * G + (1 - / (1 + q / y)) * g - G)
      with ((g * q * (1 + y) - G * (q + y)) * / ((q + y) * (1 + y))) by (field; lra).
    apply Rmult_lt_0_compat; [rewrite K; nra | apply Rinv_0_lt_compat; nra].
Qed.

(* A state that is kept by a factor of at most k, and moved by at most B. *)
Lemma forget_step a b s k B : - a <= 0 -> a <= k -> Rabs b <= B ->
  0 <= k /\ Rabs (a * s + b) <= k * Rabs s + B.
Proof.
  intros P H R. split; [lra|]. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  rewrite (Rabs_right a) by lra. generalize (Rabs_pos s). nra.
Qed.
Lemma forget_over_T (a : nat -> R) k B T : k < 1 ->
  (forall t, (t < T)%nat -> 0 <= k /\ a (S t) <= k * a t + B) ->
  a T <= k ^ T * a 0%nat + B * ((1 - k ^ T) / (1 - k)).
Proof.
  intros K. induction T; intros H; [simpl; unfold Rdiv; lra|].
  destruct (H T ltac:(lia)) as [P Q]. assert (I := IHT (fun t Ht => H t ltac:(lia))).
  eapply Rle_trans; [exact Q|]. apply (Rmult_le_compat_l k) in I; [|exact P].
  assert (E : k ^ S T * a 0%nat + B * ((1 - k ^ S T) / (1 - k))
    = k * (k ^ T * a 0%nat + B * ((1 - k ^ T) / (1 - k))) + B) by (simpl; field; lra).
  lra.
Qed.

(* ---------- what stands still drops out ---------- *)

Ltac extensional := apply functional_extensionality; intros i;
  apply functional_extensionality; intros j; unfold madd, hprod, mscale, mtr, mzero, mconst;
  first [ring | field].
Lemma add_still_l A : (mzero + A)%mat = A. Proof. extensional. Qed.
Lemma add_still_r A : (A + mzero)%mat = A. Proof. extensional. Qed.
Lemma hprod_still_l A : (mzero * A)%mat = mzero. Proof. extensional. Qed.
Lemma hprod_still_r A : (A * mzero)%mat = mzero. Proof. extensional. Qed.
Lemma scale_still c : (c .* mzero)%mat = mzero. Proof. extensional. Qed.
Lemma tr_still : (mzero ^T)%mat = mzero. Proof. reflexivity. Qed.
Lemma mul_still_l k A : (mzero *[k] A)%mat = mzero.
Proof.
  apply functional_extensionality; intros i. apply functional_extensionality; intros j.
  apply bsum_zero; intros. unfold mzero, mconst. ring.
Qed.
Lemma mul_still_r k A : (A *[k] mzero)%mat = mzero.
Proof.
  apply functional_extensionality; intros i. apply functional_extensionality; intros j.
  apply bsum_zero; intros. unfold mzero, mconst. ring.
Qed.
Lemma stack_still r : mstack r mzero mzero = mzero.
Proof.
  apply functional_extensionality; intros i. apply functional_extensionality; intros j.
  unfold mstack. destruct (Nat.ltb i r); reflexivity.
Qed.
#[global] Hint Rewrite add_still_l add_still_r hprod_still_l hprod_still_r scale_still tr_still
  mul_still_l mul_still_r stack_still : still.

(* ---------- equality of entries, where both sides are sums of products ---------- *)

Ltac only_index := repeat match goal with
  | H : (?i < 1)%nat |- _ => assert (i = 0%nat) by lia; clear H; subst i end.
Ltac unfold_entries :=
  unfold hprod, madd, mscale, hpow, mmul, mtr, mmap, mzero, mconst, mrows, softmax; cbv beta.
Ltac sums :=
  rewrite ?bsum_one, ?Rmult_1_l, ?Rmult_1_r; cbv beta; only_index;
  first [ reflexivity | ring | lazymatch goal with
    | |- bsum ?n _ = bsum ?n _ => apply bsum_ext; intros; sums
    | |- bsum ?n _ = ?c * bsum ?n _ => rewrite <- bsum_scal; apply bsum_ext; intros; sums
    | |- ?c * bsum ?n _ = bsum ?n _ => rewrite <- bsum_scal; apply bsum_ext; intros; sums
    | |- bsum ?n _ = bsum ?n _ * ?c => rewrite <- bsum_scal_r; apply bsum_ext; intros; sums
    | |- bsum ?n _ * ?c = bsum ?n _ => rewrite <- bsum_scal_r; apply bsum_ext; intros; sums
    | |- bsum ?n _ = bsum ?n _ + bsum ?n _ => rewrite <- bsum_plus; apply bsum_ext; intros; sums
    | |- bsum ?n _ + bsum ?n _ = bsum ?n _ => rewrite <- bsum_plus; apply bsum_ext; intros; sums
    | |- bsum ?n (fun _ => ?c) = _ => rewrite bsum_const; sums
    | |- ?a + ?b = ?c + ?d => apply f_equal2; sums
    | |- ?a * ?b = ?c * ?d => apply f_equal2; sums
    | |- ?a ^ ?k = ?b ^ ?k => apply (f_equal (fun y => y ^ k)); sums
    | |- ?A ?a ?j = ?A ?b ?j => replace a with b by lia; reflexivity
    | |- ?f ?a = ?f ?b => apply (f_equal f); sums
    end | field ].
Ltac entry := intros ?i ?j ?Hi ?Hj; only_index; unfold_entries; sums.

(* ---------- entries that are sums and products of what is positive ---------- *)

Lemma softplus_pos x : 0 < softplus x.
Proof.
  unfold softplus. rewrite <- ln_1. apply ln_increasing; [lra|]. generalize (exp_pos x). lra.
Qed.
Lemma tanh_pos x : 0 < x -> 0 < tanh x.
Proof.
  intros H. unfold tanh. apply Rmult_lt_0_compat; [|apply Rinv_0_lt_compat; apply cosh_pos].
  unfold sinh. assert (exp (- x) < exp x) by (apply exp_increasing; lra). lra.
Qed.
Lemma relu_pos x : 0 < x -> 0 < relu x.
Proof. intros. unfold relu. cases. Qed.
Lemma absolute_pos x : 0 < x -> 0 < absolute x.
Proof. intros. unfold absolute. cases. Qed.
Lemma bsum_nonneg n f : (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= bsum n f.
Proof. intros H. rewrite <- (bsum_zero n (fun _ => 0)) by auto. apply bsum_le. exact H. Qed.
Ltac positive := lazymatch goal with
  | |- 0 < 1 + -1 * sigm ?a => generalize (sigm_range a); lra
  | |- 0 < _ + _ => first [ apply Rplus_lt_0_compat; positive
      | apply Rplus_le_lt_0_compat; [not_negative | positive]
      | apply Rplus_lt_le_0_compat; [positive | not_negative] ]
  | |- 0 < _ * _ => apply Rmult_lt_0_compat; positive
  | |- 0 < _ ^ _ => apply pow_lt; positive
  | |- 0 < / _ => apply Rinv_0_lt_compat; positive
  | |- 0 < bsum _ _ => apply bsum_pos; [intros; cbv beta; positive | lia]
  | |- 0 < exp _ => apply exp_pos
  | |- 0 < sigm ?a => exact (proj1 (sigm_range a))
  | |- 0 < softplus _ => apply softplus_pos
  | |- 0 < tanh _ => apply tanh_pos; positive
  | |- 0 < relu _ => apply relu_pos; positive
  | |- 0 < absolute _ => apply absolute_pos; positive
  | |- 0 < sqrt _ => apply sqrt_lt_R0; positive
  | |- 0 < INR _ => apply lt_0_INR; lia
  | |- 0 < _ => lra end
with not_negative := lazymatch goal with
  | |- 0 <= ?a * ?a => exact (Rle_0_sqr a)
  | |- 0 <= _ ^ 2 => apply pow2_ge_0
  | |- 0 <= _ * _ => apply Rmult_le_pos; not_negative
  | |- 0 <= _ + _ => apply Rplus_le_le_0_compat; not_negative
  | |- 0 <= bsum _ _ => apply bsum_nonneg; intros; cbv beta; not_negative
  | |- 0 <= _ => left; positive end.
Ltac away_from_zero := lazymatch goal with
  | |- _ < _ => positive
  | |- ?a <> 0 => first [ apply Rgt_not_eq; red; positive
      | apply Rmult_integral_contrapositive_currified; [lra | apply Rgt_not_eq; red; positive] ] end.
