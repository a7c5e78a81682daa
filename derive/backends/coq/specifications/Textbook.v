(* Words that the specifications share. Written by hand, to be read. *)
Require Import Reals BPTT.
Open Scope R_scope.

Definition vec := nat -> R.
Definition col (A : mat) : vec := fun j => A j 0%nat.      (* a matrix of one column, as a vector *)

(* W x + U h + b, row j; x has m entries and h has n. *)
Definition affine (n m : nat) (W U b : mat) (x h : vec) : vec :=
  fun j => bsum m (fun k => W j k * x k) + bsum n (fun k => U j k * h k) + col b j.

(* l t is a differentiable function of n numbers, with gradient dl t. *)
Definition differentiable (n : nat) (l : nat -> vec -> R) (dl : nat -> vec -> vec) : Prop :=
  forall t (y : R -> vec) z dy,
  (forall j, (j < n)%nat -> derivable_pt_lim (fun u => y u j) z (dy j)) ->
  derivable_pt_lim (fun u => l t (y u)) z (bsum n (fun j => dl t (y z) j * dy j)).

(* v with entry k replaced. *)
Definition changed (v : vec) (k : nat) (u : R) : vec := fun i => if Nat.eqb i k then u else v i.

(* A loss of the outputs alone is a loss for every cell whose output has one column. *)
Lemma outputs_alone (S : Type) (sdot : S -> S -> R) (DS : (R -> S) -> R -> S -> Prop) szero n l dl :
  (forall c, sdot szero c = 0) -> differentiable n l dl ->
  losses S mat sdot (dot n 1) DS (Dmat n 1)
    (fun t y => l t (col y)) (fun t y i _ => dl t (col y) i) (fun _ => 0) (fun _ => szero).
Proof.
  intros Hz Hl. split.
  - intros t y z dy Hy. eapply D_eq.
    + apply (Hl t (fun u => col (y u)) z (col dy)). intros j Hj. exact (Hy j 0%nat Hj (le_n 1)).
    + unfold dot. apply bsum_ext; intros. rewrite bsum_one. reflexivity.
  - intros s z ds _. eapply D_eq; [apply derivable_pt_lim_const|]. rewrite Hz. reflexivity.
Qed.
