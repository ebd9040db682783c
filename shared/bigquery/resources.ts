import { callBigQuery } from '../gcp/bigquery.ts';
import { refusedWith } from './errors.ts';
import type { Dataset, Table } from './model.ts';

const tablesOnAPage = 1000;

/** @returns undefined where there is none of this id */
export function findDataset(id: string, signal: AbortSignal): Promise<Dataset | undefined> {
  return find(`datasets/${id}`, signal);
}

/** @returns undefined where there is none of this id, or no such dataset */
export function findTable(dataset: string, id: string, signal: AbortSignal): Promise<Table | undefined> {
  return find(pathOf(dataset, id), signal);
}

/** The path of a table or a view. */
export function pathOf(dataset: string, id: string): string {
  return `datasets/${dataset}/tables/${encodeURIComponent(id)}`;
}

/** The ids of all tables and views. */
export async function listTables(dataset: string, signal: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  let pageToken: string | undefined;
  do {
    const page: { tables?: Pick<Table, 'tableReference'>[]; nextPageToken?: string } = await callBigQuery(
      {
        method: 'GET',
        path: `datasets/${dataset}/tables`,
        query: { maxResults: String(tablesOnAPage), ...(pageToken !== undefined && { pageToken }) },
      },
      signal,
    );
    ids.push(...(page.tables ?? []).map(({ tableReference }) => tableReference.tableId));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return ids;
}

async function find<T>(path: string, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await callBigQuery<T>({ method: 'GET', path }, signal);
  } catch (error) {
    if (refusedWith(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
