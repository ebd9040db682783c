/**
 * Resources of the REST API, as far as Drover reads and writes them.
 *
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/tables
 */
export interface Field {
  readonly name: string;
  readonly type: string;
  /** `NULLABLE`, `REQUIRED` or `REPEATED`; by default the first. */
  readonly mode?: string;
  readonly description?: string;
  /** Of a RECORD. */
  readonly fields?: readonly Field[];
}

/** What a table or a view is, as opposed to what it holds. */
export interface TableSettings {
  readonly friendlyName?: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly schema?: { readonly fields?: readonly Field[] };
  readonly timePartitioning?: {
    readonly type: string;
    readonly field?: string;
    readonly expirationMs?: string;
  };
  readonly clustering?: { readonly fields: readonly string[] };
  readonly view?: { readonly query: string; readonly useLegacySql?: boolean };
}

/** One that should be. */
export interface TableDefinition extends TableSettings {
  readonly id: string;
}

/** One that is. Numbers come as text, times as milliseconds since the epoch. */
export interface Table extends TableSettings {
  readonly etag: string;
  readonly tableReference: { readonly projectId: string; readonly tableId: string };
  /** `TABLE`, `VIEW`, `EXTERNAL` … */
  readonly type: string;
  readonly location: string;
  readonly numRows?: string;
  readonly lastModifiedTime: string;
  /** Rows that jobs don't see yet. */
  readonly streamingBuffer?: object;
}

/** Who may do what: a role and one of the others. */
export interface AccessEntry {
  readonly role?: string;
  readonly userByEmail?: string;
  readonly groupByEmail?: string;
  readonly domain?: string;
  readonly specialGroup?: string;
  readonly iamMember?: string;
}

export interface DatasetSettings {
  readonly friendlyName?: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly access?: readonly AccessEntry[];
  readonly defaultTableExpirationMs?: string;
}

export interface Dataset extends DatasetSettings {
  readonly etag: string;
  readonly datasetReference: { readonly datasetId: string };
  readonly location: string;
}

/** One that should be. */
export interface DatasetDefinition extends DatasetSettings {
  readonly id: string;
  readonly location: string;
  /** Labels that say whose it is. One that is there without them is left alone. */
  readonly identity: Readonly<Record<string, string>>;
  /** Who had access by an earlier definition, and shall have it no more. */
  readonly withdrawn?: readonly AccessEntry[];
}
