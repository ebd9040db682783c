/** An object that holds a manifest. */
export interface ManifestPlace {
  readonly bucket: string;
  readonly object: string;
}

/**
 * - `applying`: its operations are under way, or were when its worker was last heard of
 * - `applied`: all of it is so
 * - `incomplete`: all that could be done is; the rest failed
 * - `deleting`: the object is gone, and what it granted is being taken back
 * - `deleted`
 */
export type ManifestState = 'applying' | 'applied' | 'incomplete' | 'deleting' | 'deleted';

/** What one generation said. */
export interface ManifestText {
  readonly generation: string;
  readonly text: string;
  /** All of it was so. */
  readonly applied: boolean;
}

/**
 * Things that only one manifest may speak of, which are written down together: some of a database's schemas and own roles, one
 * tenant, or some secrets.
 */
export interface Claimed {
  /** `['database', instance, database, shard]`, `['tenant', id]`, `['secrets', shard]` */
  readonly scope: readonly string[];
  /** `schema billing`, `own roles`, `tenant`, `secret` */
  readonly names: readonly string[];
}

/** Who speaks of what in a scope: `manifest-claims/{hash}`. */
export interface ClaimsDocument {
  readonly scope: readonly string[];
  readonly holders: Holders;
}

export type Holders = Readonly<Record<string, ManifestPlace>>;

/** How many items of a run came to what. */
export interface ManifestCounts {
  readonly unchanged: number;
  readonly changed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** An operation that a manifest asked for. It is written down before its message is published. */
export interface SentOperation {
  /** Of its item: `grants billing`. */
  readonly key: string;
  readonly function: string;
  /** The {@link runOf} that sent it. */
  readonly run: string;
  /** Of its message's content. */
  readonly hash: string;
  readonly at: Date;
  /** When it was published last: again, where nothing was heard of it. */
  readonly last: Date;
}

/** The document of a manifest: `manifests/{hash}`. */
export interface ManifestRecord extends ManifestPlace {
  /** The newest one that was begun; once deleted, the one that was. */
  readonly generation: string;
  readonly state: ManifestState;
  /** The operation that is at it, or was last. */
  readonly operation: string;
  /** How often this generation was begun anew after it had ended: it is part of its operations' ids. */
  readonly round: number;
  /** This round came to its end. */
  readonly ended: boolean;
  /**
   * Nothing that was asked for is still on its way. Where that isn't known, what comes next asks for all of it, for what is on its
   * way may change what looks as it should.
   */
  readonly settled: boolean;
  /** All is to be asked for, whatever it looks like. */
  readonly forced: boolean;
  /** What the generation says; null once it is deleted. */
  readonly text: string | null;
  /** What generations said before of which it isn't known that all they granted was taken back or named since. */
  readonly before: readonly ManifestText[];
  /** What it speaks of; while grants are taken back that it no longer names, also of what these are about. */
  readonly claims: readonly Claimed[];
  /** What was sent, and isn't known to have ended, by the ids of the operations' records. */
  readonly sent: Readonly<Record<string, SentOperation>>;
  /** Its operations that grant something, as {@link grantMark} has them: only what they granted is its own to take back. The newest last. */
  readonly grantedBy: readonly string[];
  readonly counts: ManifestCounts | null;
  readonly changedAt: Date;
}

export const manifestsCollection = 'manifests';

export const manifestClaimsCollection = 'manifest-claims';

/** Of all former texts: a document holds 1 MiB. */
export const mostTextBytes = 500 * 1024;

/** The oldest are forgotten first. What they granted counts as somebody else's then. */
export const mostGrantedBy = 5000;

/** Which run of a manifest an operation belongs to: the rounds of one generation are one. */
export function runOf({
  event,
  generation,
}: {
  readonly event: string;
  readonly generation: string;
}): string {
  return `${event} ${generation}`;
}

/** What is kept of the id of an operation's record, which is a hash: as much as nobody meets by chance. */
export function grantMark(operation: string): string {
  return operation.slice(0, 20);
}
