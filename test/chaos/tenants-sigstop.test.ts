import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { GrpcError } from '../../local/grpc/server.ts';
import { findFreePort } from '../../local/ports.ts';
import { functionSettings, localProject } from '../../local/stack.ts';
import { permissivePolicy } from '../support/stack.ts';
import { watch } from './points.ts';
import { longSilenceSeconds } from './stack.ts';
import { type Mode, nothingLeft, whole } from './tenant-state.ts';
import { startTenantChaos, type TenantChaos, type Victim, wholeTenant } from './tenants.ts';

const leaseSeconds = 4;

let chaos: TenantChaos;
let successor: FunctionProcess;

/** Whether the successor gets its copies of messages: not before they are needed, or the two would be in each other's way. */
const gate = { opened: Promise.withResolvers<void>() };

/** Two processes of the function, each with a subscription: the second gets a copy of every message. */
beforeAll(async () => {
  const environment = { DROVER_LEASE_SECONDS: String(leaseSeconds) };
  chaos = await startTenantChaos({ environment });
  const { stack } = chaos;
  successor = await startFunction({
    name: 'bootstrap-tenant',
    port: await findFreePort(),
    environment: {
      ...stack.environment,
      ...functionSettings('bootstrap-tenant', stack.cluster.port, permissivePolicy),
      ...environment,
    },
  });
  await stack.messaging.topic('bootstrap-tenant').createSubscription('successor', {
    pushEndpoint: `${successor.url}/projects/${localProject}/topics/bootstrap-tenant`,
    ackDeadlineSeconds: 600,
    retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { nanos: 100_000_000 } },
  });
  watch(stack, ({ call, phase }) =>
    call === 'Pub/Sub: push to successor' && phase === 'before' ? gate.opened.promise : undefined,
  );
});

afterAll(async () => {
  await successor.stop();
  await chaos.stop();
});

/**
 * A call that has been sent takes effect when the worker goes on, where nothing can fence it: so it is frozen between
 * calls, or in a transaction.
 */
const bootstraps: readonly Moment[] = [
  ['schema', 'after Firestore: intent'],
  ['schema', 'before PostgreSQL: BEGIN'],
  ['schema', 'after PostgreSQL: BEGIN'],
  ['schema', 'after Firestore: grants (2)', 'before BigQuery: datasets.get (3)'],
  ['database', 'after PostgreSQL: SELECT pg_catalog (2)'],
  ['database', 'before Firestore: tenant active'],
];

const running = (step: string) => `after Firestore: step ${step} running`;

const removals: readonly Moment[] = [
  ['schema', running('close')],
  ['schema', ...['login', 'storage', 'dataset', 'api-key', 'quota'].map((one) => running(`delete-${one}`))],
  ['schema', running('delete-schema')],
  ['database', running('delete-database')],
  ['database', 'after PostgreSQL: ALTER DATABASE'],
];

type Moment = readonly [mode: Mode, ...at: string[]];

/** Freezes the first process while it is at many tenants, has the second one finish, and lets the first go on. */
async function freeze(victims: readonly Victim[], meanwhile: () => Promise<void>): Promise<void> {
  const { stack } = chaos;
  const pid = stack.worker.pid();
  const thawed = Promise.withResolvers<void>();
  try {
    await chaos.hold(victims, thawed.promise);
    process.kill(pid, 'SIGSTOP');
    const leaseOver = delay(leaseSeconds * 1000);
    stack.firestore.advance(longSilenceSeconds);
    gate.opened.resolve();
    for (const { id } of victims) {
      const taken = await stack.ended('bootstrap-tenant', id);
      expect.soft(taken.error ?? taken.state, id).toBe('succeeded');
    }
    await meanwhile();
    // By the clock of the process itself, which can't be moved.
    await leaseOver;
  } finally {
    gate.opened.resolve();
    // It isn't told by the registry either that it lost its lease.
    const endSilence = watch(stack, ({ call, phase }) => {
      if (call === 'Firestore: renew' && phase === 'before')
        throw new GrpcError(status.PERMISSION_DENIED, 'not told');
    });
    process.kill(pid, 'SIGCONT');
    thawed.resolve();
    await stack.pubsub.idle();
    endSilence();
    gate.opened = Promise.withResolvers();
  }
  expect(stack.worker.starts(), 'the frozen process survived').toBe(1);
}

const named = (prefix: string, moments: readonly Moment[]) =>
  moments.map(([mode, ...at], index) => ({ name: `${prefix}_${mode}${index}`, mode, at }));

/** All that is known of tenants. */
const known = async (tenants: readonly { name: string }[]) =>
  new Map(
    await Promise.all(
      tenants.map(async ({ name }) => {
        const everything = {
          ...(await chaos.look(name)),
          record: await chaos.tenant(name),
          steps: await chaos.steps(name),
        };
        return [name, everything] as const;
      }),
    ),
  );

describe('a worker that is frozen past its lease', () => {
  it('in a bootstrap brings nothing back of a tenant that was removed meanwhile', async () => {
    const tenants = named('made', bootstraps);
    const victims = tenants.map(({ name, mode, at }) => ({
      tenant: name,
      id: `make-${name}`,
      message: wholeTenant(name, mode),
      at,
    }));
    let before = new Map<string, unknown>();
    await freeze(victims, async () => {
      for (const { name, mode } of tenants)
        expect.soft(await chaos.look(name), name).toEqual(whole(name, mode));
      await Promise.all(
        tenants.map(async ({ name }) =>
          chaos.done(`remove-${name}`, { ...(await chaos.removal(name)), ...unarchived }),
        ),
      );
      before = await known(tenants);
    });

    const after = await known(tenants);
    for (const { name, at } of tenants) {
      expect.soft(after.get(name), `${name}, ${at}`).toMatchObject({ ...nothingLeft, state: 'removed' });
      expect.soft(after.get(name), `${name}, ${at}`).toEqual(before.get(name));
      expect
        .soft(await chaos.outcome(`make-${name}`), `${name}, ${at}`)
        .toMatchObject({ events: ['succeeded'] });
    }
  });

  it('in a removal takes nothing from the next tenant of the same id', async () => {
    const tenants = named('gone', removals);
    await Promise.all(tenants.map(({ name, mode }) => chaos.done(`make-${name}`, wholeTenant(name, mode))));
    const victims = await Promise.all(
      tenants.map(async ({ name, at }) => ({
        tenant: name,
        id: `remove-${name}`,
        message: { ...(await chaos.removal(name)), ...unarchived },
        at,
      })),
    );
    let before = new Map<string, unknown>();
    await freeze(victims, async () => {
      await Promise.all(
        tenants.map(({ name, mode }) =>
          chaos.done(`again-${name}`, wholeTenant(name, mode, { reuse: true })),
        ),
      );
      before = await known(tenants);
    });

    const after = await known(tenants);
    for (const { name, mode, at } of tenants) {
      expect.soft(after.get(name), `${name}, ${at}`).toMatchObject(whole(name, mode));
      expect.soft(after.get(name), `${name}, ${at}`).toEqual(before.get(name));
      const entered = await chaos.enter(await chaos.entrance(name));
      expect.soft(entered, `${name}, ${at}`).toEqual({ login: true, key: 'accepted' });
      expect
        .soft(await chaos.outcome(`remove-${name}`), `${name}, ${at}`)
        .toMatchObject({ events: ['succeeded'] });
    }
  });
});

const unarchived = { archive: false, dataset: 'delete', storage: 'delete' };
