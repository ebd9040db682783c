import type { DatasetSettings } from './dataset-settings.ts';
import { conditionNotMet, notFound } from './errors.ts';
import type { Row } from './row.ts';
import type { TableSettings } from './table-settings.ts';

/** Times are milliseconds since the epoch. */
export interface Dataset {
  readonly id: string;
  readonly location: string;
  readonly created: number;
  readonly tables: Map<string, Table>;
  modified: number;
  etag: string;
  settings: DatasetSettings;
}

export interface Table {
  readonly dataset: Dataset;
  readonly id: string;
  readonly created: number;
  /** When a row with this `insertId` came. */
  readonly insertIds: Map<string, number>;
  modified: number;
  etag: string;
  settings: TableSettings;
  rows: readonly Row[];
}

/** The datasets of one project, and the server's time. */
export class Store {
  readonly project: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** For how long jobs don't see rows that were streamed. */
  readonly bufferMilliseconds: number;
  readonly datasets = new Map<string, Dataset>();
  #changes = 0;

  constructor(project: string, now: () => number, bufferMilliseconds: number) {
    this.project = project;
    this.now = now;
    this.bufferMilliseconds = bufferMilliseconds;
  }

  /** What has to differ after a change of a resource. */
  change(): { modified: number; etag: string } {
    const modified = this.now();
    this.#changes += 1;
    return { modified, etag: Buffer.from(`${modified}/${this.#changes}`).toString('base64') };
  }

  /** @throws ApiError 404 */
  dataset(id: string): Dataset {
    const found = this.datasets.get(id);
    if (found) return found;
    throw notFound(`Dataset ${this.project}:${id}`);
  }

  /** @throws ApiError 404 */
  table(datasetId: string, id: string): Table {
    const found = this.tablesOf(this.dataset(datasetId)).get(id);
    if (found) return found;
    throw notFound(`Table ${this.project}:${datasetId}.${id}`);
  }

  /** Those that have not expired. */
  tablesOf({ tables }: Dataset): ReadonlyMap<string, Table> {
    for (const [id, { settings }] of tables) {
      if (settings.expirationTime && Number(settings.expirationTime) <= this.now()) tables.delete(id);
    }
    return tables;
  }

  nameOf({ dataset, id }: Table): string {
    return `${this.project}:${dataset.id}.${id}`;
  }
}

/** @throws ApiError 412 where another etag was expected */
export function requireMatch(ifMatch: string | undefined, { etag }: { readonly etag: string }): void {
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== etag) throw conditionNotMet();
}
