/** How a file is read. */
export const formats = ['markdown', 'yaml', 'json', 'source'] as const;

export type Format = (typeof formats)[number];

/** What a file says, fit for PostgreSQL: no NUL, no half of a surrogate pair, no number that JSON hasn't. */
export interface Content {
  /** The metadata's field `title`, else the first heading; at most 1,000 characters. */
  readonly title: string | undefined;
  /** Front matter of Markdown, all of YAML and JSON, `{}` of a source file. */
  readonly metadata: unknown;
  /** `metadata` as JSON; numbers with all their digits. */
  readonly json: string;
  /** The body of Markdown, all of a source file; undefined of YAML and JSON. */
  readonly text: string | undefined;
}

/** What is wrong with a file, and where. */
export interface Problem {
  /** Stable: docs/repositories.md has an entry for each. */
  readonly code: string;
  /** From the repository's root. */
  readonly path: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** For people: what is wrong, and what to do where that isn't obvious. */
  readonly message: string;
  /** Undefined where it has to do with none, or with all. */
  readonly collection?: string;
}

/** Why a file can't be read; who reads it knows the path. */
export type Fault = Omit<Problem, 'path' | 'collection'>;

export type Reading = { readonly content: Content } | { readonly fault: Fault };
