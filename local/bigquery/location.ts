import { notFound } from './errors.ts';
import type { Dataset } from './store.ts';

/** Where a dataset or job is that doesn't say where. */
export const defaultLocation = 'US';

/** Multi-regions have capitals, regions have none, however they are written. */
export function normalLocation(location: string): string {
  return location.includes('-') ? location.toLowerCase() : location.toUpperCase();
}

/** @throws ApiError 404: from another location a dataset can't be seen */
export function requireLocation(project: string, { id, location }: Dataset, wanted: string): void {
  if (location !== wanted) throw notFound(`Dataset ${project}:${id} was not found in location ${wanted}`);
}
