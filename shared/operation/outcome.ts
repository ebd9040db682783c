/** One thing that an operation changed, or in a dry run would change. */
export interface Change {
  readonly action: 'create' | 'alter' | 'delete' | 'grant' | 'revoke' | 'comment' | 'transfer';
  /** `role`, `schema`, `database`, `default privileges` … */
  readonly kind: string;
  /** What was changed, by its name: `app.billing`, `app__billing__reader`. */
  readonly name: string;
  /** In a few words, where the action alone doesn't say it. */
  readonly detail?: string;
}

/** Something that people should know: what could not be done and who can, or why nothing was. */
export interface Note {
  readonly code: string;
  readonly message: string;
  /** The exact statements that would do it, for somebody who may. */
  readonly statements?: readonly string[];
}

/** What a handler returns. */
export interface Outcome {
  readonly changes: readonly Change[];
  readonly notes?: readonly Note[];
  /** In a dry run: what would be executed. */
  readonly statements?: readonly string[];
  /** How many of what: `{ granted: 2, revoked: 0, kept: 5 }`. */
  readonly summary?: Readonly<Record<string, number>>;
  /** What whoever asked has to know to use it: names and places, never values. */
  readonly result?: Readonly<Record<string, unknown>>;
  /** Part of it is out of reach: notes hold the statements that an admin has to run. */
  readonly partial?: boolean;
}
