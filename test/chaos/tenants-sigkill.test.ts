import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RemoveMessage } from '../../functions/bootstrap-tenant/message.ts';
import { removalSteps } from '../../functions/bootstrap-tenant/removal/steps.ts';
import { tenantSteps } from '../../functions/bootstrap-tenant/steps/all.ts';
import { ApiError } from '../../local/http/api-error.ts';
import type { TenantRecord } from '../../shared/registry/tenants/model.ts';
import { reached, watch } from './points.ts';
import { isAbout, type Mode, modes, nothingLeft, whole } from './tenant-state.ts';
import {
  contentOf,
  startTenantChaos,
  type TenantChaos,
  type Victim,
  wavesOf,
  wholeTenant,
} from './tenants.ts';

let chaos: TenantChaos;

beforeAll(async () => {
  chaos = await startTenantChaos();
});

afterAll(() => chaos.stop());

/** A tenant with all that there is. */
const anybody = (isolation: Mode, restored: string | null = null) =>
  ({
    isolation,
    restored,
    place: { dataset: 'd', storage: 'gs://b/t/', apiKeySecret: 's' },
  }) as TenantRecord;

const someArchive = 'gs://b/tenants/t/1/database/manifest.json';

const stepsOf = (mode: Mode, restored: string | null = null) =>
  tenantSteps.filter(({ applies }) => applies(anybody(mode, restored)));

const removalOf = (mode: Mode) =>
  removalSteps({ archive: true, dataset: 'export', storage: 'archive' } as RemoveMessage, anybody(mode));

/** Points that one operation is held at, all at once. */
type Points = readonly string[];

type Phase = 'before' | 'after';

const tenant = (phase: Phase, state: string): Points => [`${phase} Firestore: tenant ${state}`];

/** Before a step's record, what the step does is done. Steps that don't need each other come to that together. */
const records = (phase: Phase, waves: readonly Points[], state = 'done'): Points[] =>
  waves.map((wave) => wave.map((step) => `${phase} Firestore: step ${step} ${state}`));

const bootstrapPoints = (mode: Mode): Points[] => {
  const waves = wavesOf(stepsOf(mode));
  const common = [...records('before', waves), ...records('after', waves), tenant('before', 'active')];
  if (mode === 'schema') return common;
  return [
    ...common,
    tenant('after', 'bootstrapping'),
    tenant('after', 'active'),
    ['after PostgreSQL: CREATE DATABASE'],
    ['BigQuery: datasets.insert', 'Storage: objects.insert', 'Secret Manager: AddSecretVersion'].map(
      (call) => `after ${call}`,
    ),
  ];
};

const removalPoints = (mode: Mode): Points[] => [
  ...records('before', wavesOf(removalOf(mode))),
  tenant('before', 'removed'),
];

const restorePoints = (mode: Mode): Points[] => records('before', wavesOf(stepsOf(mode, someArchive)));

/** Of what is taken back after all but the dataset was made: the last first. */
const undoPoints = (mode: Mode): Points[] => {
  const undo = ({ name }: { name: string }) => [`before Firestore: step ${name} compensated`];
  if (mode === 'schema') return [undo({ name: 'schema' })];
  return [tenant('after', 'compensating'), ...stepsOf(mode).map(undo)];
};

interface Named {
  readonly mode: Mode;
  readonly name: string;
  readonly at: Points;
}

/** For each point a tenant. */
const each = (pointsOf: (mode: Mode) => Points[], prefix = ''): Named[] =>
  modes.flatMap((mode) =>
    pointsOf(mode).map((at, index) => ({ mode, name: `${prefix}${mode}${index}`, at })),
  );

const victim = (action: string, { name, at }: Named, message: object): Victim => ({
  tenant: name,
  id: `${action}-${name}`,
  message,
  at,
});

describe('a SIGKILL at any step', () => {
  it('of a bootstrap leaves nothing undone, and does nothing twice', async () => {
    const tenants = each(bootstrapPoints);
    await chaos.kill(tenants.map((one) => victim('make', one, wholeTenant(one.name, one.mode))));

    for (const { mode, name, at } of tenants) {
      expect.soft(await chaos.look(name), `${name}, ${at}`).toEqual(whole(name, mode));
      expect.soft(await chaos.outcome(`make-${name}`), `${name}, ${at}`).toEqual(succeeded);
      await expectAttempts(mode, name, at);
    }
  });

  it('of a removal leaves nothing behind', async () => {
    const tenants = each(removalPoints);
    await Promise.all(tenants.map(({ name }) => chaos.fill(name)));
    const confirmed = await Promise.all(tenants.map(({ name }) => chaos.removal(name)));
    await chaos.kill(tenants.map((one, index) => victim('remove', one, confirmed[index] ?? {})));

    for (const { name, at } of tenants) {
      const left = { ...nothingLeft, state: 'removed' };
      expect.soft(await chaos.look(name), `${name}, ${at}`).toMatchObject(left);
      expect.soft(await chaos.outcome(`remove-${name}`), `${name}, ${at}`).toEqual(succeeded);
    }
  });
});

describe('a SIGKILL', () => {
  const restored = each(restorePoints);
  const undone = each(undoPoints, 'undo_');

  beforeAll(async () => {
    const archives = await Promise.all(restored.map(async ({ name }) => (await chaos.tenant(name)).archive));
    const restores = restored.map((one, index) =>
      victim('restore', one, wholeTenant(one.name, one.mode, { reuse: true, restore: archives[index] })),
    );
    const makes = undone.map((one) => victim('make', one, wholeTenant(one.name, one.mode)));
    const allow = denyDatasets(undone.map(({ name }) => name));
    await chaos.kill([...restores, ...makes], allow);
  });

  it('at any step of a bootstrap from an archive that a killed removal left: all comes back, once', async () => {
    for (const { mode, name, at } of restored) {
      expect.soft(await chaos.look(name), `${name}, ${at}`).toEqual(whole(name, mode, true));
      expect.soft(await chaos.content(name), `${name}, ${at}`).toEqual(contentOf);
      expect.soft(await chaos.outcome(`restore-${name}`), `${name}, ${at}`).toEqual(succeeded);
    }
  });

  it('while things are taken back: they are, although the cause is gone by then', async () => {
    for (const { mode, name, at } of undone) {
      const failure = { code: 'GOOGLE_PERMISSION_DENIED', step: 'dataset' };
      const left = { ...nothingLeft, state: 'failed', failure };
      expect.soft(await chaos.look(name), `${name}, ${at}`).toMatchObject(left);
      expect.soft(await chaos.outcome(`make-${name}`), `${name}, ${at}`).toEqual({
        state: 'failed',
        code: 'GOOGLE_PERMISSION_DENIED',
        reported: true,
        events: ['failed'],
      });
      const steps = await chaos.steps(name);
      const states = stepsOf(mode).map((step) => steps[step.name]?.state);
      expect.soft(new Set(states), `${name}, ${at}`).toEqual(new Set(['compensated']));
      expect.soft(steps['announce']?.state, `${name}, ${at}`).toBe('pending');
    }
  });
});

/**
 * Has BigQuery refuse tenants' datasets, once all else is made.
 *
 * @returns ends that
 */
function denyDatasets(names: readonly string[]): () => void {
  return watch(chaos.stack, async ({ call, phase, about }) => {
    const name = names.find((one) => isAbout(about, one));
    if (name === undefined || call !== 'BigQuery: datasets.insert' || phase !== 'before') return;
    await reached(chaos.stack, 'Firestore: step login done', 'after', (text) => isAbout(text, name));
    throw new ApiError(403, 'accessDenied', 'Access Denied: User does not have bigquery.datasets.create');
  });
}

const succeeded = { state: 'succeeded', code: undefined, reported: true, events: ['succeeded'] };

/** What was begun before the kill was begun twice; what was to come after it, once. */
async function expectAttempts(mode: Mode, name: string, at: Points) {
  const steps = await chaos.steps(name);
  const what = `${name}, ${at}`;
  for (const step of stepsOf(mode)) {
    const whole = { state: 'done', found: 'absent', reason: null };
    expect.soft(steps[step.name], `${step.name} of ${what}`).toMatchObject(whole);
  }
  const isHeld = (step: string) => at.some((point) => point.includes(`step ${step} `));
  const waves = wavesOf(stepsOf(mode));
  const held = waves.findIndex((wave) => wave.some(isHeld));
  for (const [index, wave] of waves.entries()) {
    if (held === -1 || index < held) continue;
    const attempts = wave.map((step) => steps[step]?.attempts);
    expect.soft(attempts, `${wave} of ${what}`).toEqual(wave.map(() => (index === held ? 2 : 1)));
  }
}
