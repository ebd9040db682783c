/** `failed`: the newest message about it could not be done. What is in the database is the last sync that could. */
export const repositoryStates = ['synced', 'failed'] as const;

export type RepositoryState = (typeof repositoryStates)[number];

/** What is wrong with a file of a repository, and where. Lines and columns count from 1. */
export interface RepositoryProblem {
  readonly code: string;
  /** From the repository's root. */
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
  readonly collection?: string;
}

/** How many of what a sync found and did. */
export interface SyncCounts {
  /** That there are now. */
  readonly documents: number;
  readonly added: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
  /** All of them, however many are kept here. */
  readonly problems: number;
}

/** Which repository, and the schema that holds its tables. */
export interface RepositoryIdentity {
  /** `owner/name` of one on GitHub. */
  readonly repository: string;
  readonly source: 'github' | 'archive';
  readonly instance: string;
  readonly database: string;
  readonly schema: string;
}

/** Why a message could not be done. */
export interface RepositoryFailure {
  readonly code: string;
  /** For people: what to do, too. */
  readonly message: string;
  readonly at: Date;
  readonly operation: string;
  /** When the message was first asked for: an older one says nothing about the newer ones. */
  readonly publishedAt: Date;
}

/**
 * The document of a repository: `repositories/{hash of instance, database, schema and repository}`. The tables say what is
 * so; this says where they are and how they stand, without a connection to any database. Times come as Firestore
 * timestamps, and are dates once read.
 */
export interface RepositoryRecord extends RepositoryIdentity {
  /** Branch or tag. */
  readonly ref?: string;
  /** What is in the database; undefined where nobody says, or nothing ever was. */
  readonly commit?: string;
  readonly committedAt?: Date;
  /** Of the last sync: it rises by one with each in the database. 0 where there was none. */
  readonly number: number;
  readonly state: RepositoryState;
  /** When the last sync was committed; undefined where there was none. */
  readonly syncedAt?: Date;
  /** When the newest message that was done was first asked for. */
  readonly publishedAt?: Date;
  /** Of the last sync; where there was none, that which failed. */
  readonly operation: string;
  readonly counts: SyncCounts;
  /** Documents, by collection. */
  readonly collections: Readonly<Record<string, number>>;
  /** The first of them; the last row of the table `syncs` has all. */
  readonly problems: readonly RepositoryProblem[];
  /** Of the newest message, where that came to nothing. */
  readonly failure?: RepositoryFailure;
}

/** A record as it is listed: without what may be long. */
export type RepositorySummary = Omit<RepositoryRecord, 'problems'>;

export const repositoriesCollection = 'repositories';
