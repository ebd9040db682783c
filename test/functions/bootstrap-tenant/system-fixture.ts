import { afterEach } from 'vitest';
import type { SystemMessage } from '../../../functions/bootstrap-tenant/message.ts';
import { bootstrapSystem } from '../../../functions/bootstrap-tenant/system.ts';
import type { BigQueryOptions } from '../../../local/bigquery/index.ts';
import { findDataset } from '../../../shared/bigquery/resources.ts';
import { callBigQuery } from '../../../shared/gcp/bigquery.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { type BigQueryFixture, newOperation, signal, useBigQuery } from '../../shared/bigquery/fixture.ts';

export const dataset = 'drover';

/** A BigQuery from which each test's dataset is taken away. */
export function useSystem(options: Partial<BigQueryOptions> = {}): BigQueryFixture {
  const cloud = useBigQuery(options);
  afterEach(async () => {
    cloud.server.intercept = undefined;
    if ((await findDataset(dataset, signal)) === undefined) return;
    const query = { deleteContents: 'true' };
    await callBigQuery({ method: 'DELETE', path: `datasets/${dataset}`, query }, signal);
  });
  return cloud;
}

export interface Context {
  readonly id: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly assertHeld: () => void;
}

export function context(given: Partial<Context> = {}): Context {
  return { id: newOperation(), dryRun: false, signal, assertHeld: () => undefined, ...given };
}

export function bootstrap(
  message: Omit<SystemMessage, 'scope'> = {},
  given: Partial<Context> = {},
): Promise<Outcome> {
  return bootstrapSystem({ scope: 'system', ...message }, context(given));
}

export function tablePath(table: string): string {
  return `datasets/${dataset}/tables/${table}`;
}
