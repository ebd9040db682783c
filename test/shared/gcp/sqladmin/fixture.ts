import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import type { InterceptedCall } from '../../../../local/http/interceptor.ts';
import type { SqlAdmin as LocalSqlAdmin, SqlAdminOptions } from '../../../../local/sqladmin/server.ts';
import { createBudget } from '../../../../shared/gcp/sqladmin/budget.ts';
import { createSqlAdmin, type SqlAdmin } from '../../../../shared/gcp/sqladmin.ts';
import { type Fixture, instance, principal, useAdminApi } from '../../../local/sqladmin/fixture.ts';

export const signal = new AbortController().signal;

export interface AdapterFixture extends Fixture {
  /** Gives this process other credentials: a token of one server is none at another. */
  actAs(credentials: string): void;
  /** The adapter, which waits no longer than it takes to ask again. */
  adapter(options?: Partial<Parameters<typeof createSqlAdmin>[0]>): SqlAdmin;
}

/** A cluster, the local Admin API for it, and credentials as a function has them. */
export function useAdapter(options: Partial<SqlAdminOptions> = {}): AdapterFixture {
  const cloud = useAdminApi(options) as AdapterFixture;
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-sqladmin-test-'));
  const file = path.join(folder, 'credentials.json');
  cloud.actAs = (credentials) => writeFileSync(file, credentials);
  beforeAll(() => {
    cloud.actAs(cloud.server.credentials(principal));
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
  cloud.adapter = (more = {}) =>
    createSqlAdmin({
      instance,
      adminApi: cloud.server.url,
      budget: createBudget(100_000),
      pause: async (_, given) => {
        given.throwIfAborted();
        await setImmediate();
      },
      ...more,
    });
  return cloud;
}

/** What a promise was rejected with. */
export async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`nothing was thrown, but ${JSON.stringify(value)} returned`),
    (error: unknown) => error,
  );
}

/** Intercepts each call before it takes effect, and remembers which there were. */
export function watch(
  server: LocalSqlAdmin,
  before: (call: InterceptedCall) => void | Promise<void> = () => undefined,
): string[] {
  const calls: string[] = [];
  server.intercept = (call) => {
    if (call.phase === 'after') return undefined;
    calls.push(call.method);
    return before(call);
  };
  return calls;
}
