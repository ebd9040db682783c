import { describe, expect, it } from 'vitest';
import {
  boundedItems,
  changesOf,
  countItems,
  type ResultItem,
  resultItems,
  resultPlace,
  supersededKeys,
} from '../../../../functions/ingest-object/manifest/result.ts';
import type { StepState } from '../../../../functions/ingest-object/manifest/schedule.ts';
import type { Progress } from '../../../../functions/ingest-object/manifest/steps.ts';
import type { WantedGrants } from '../../../../functions/ingest-object/manifest/wanted.ts';

const item = (key: string, state: ResultItem['state'], changes: string[] = []): ResultItem => ({
  key,
  about: `app.${key}`,
  function: 'create-schema',
  state,
  changes,
});

describe('the items of a result', () => {
  it('are all shown where they are few', () => {
    const items = [item('a', 'unchanged'), item('b', 'failed')];
    expect(boundedItems(items)).toEqual({ items });
  });

  it('that are too many are cut, and what went wrong comes first', () => {
    const items = Array.from({ length: 500 }, (_, index) =>
      item(`s${index}`, index === 499 ? 'failed' : 'unchanged'),
    );
    const { items: shown, more } = boundedItems(items);
    expect([shown.length, more, shown[0]?.key]).toEqual([200, 300, 's499']);
  });

  it('that are too long are cut, to what a record has room for', () => {
    const long = Array.from({ length: 50 }, (_, index) => `${index}: ${'x'.repeat(1000)}`);
    const items = Array.from({ length: 100 }, (_, index) => item(`s${index}`, 'done', long));
    const { items: shown, more = 0 } = boundedItems(items);
    expect(Buffer.byteLength(JSON.stringify(shown))).toBeLessThan(140_000);
    expect(shown.length + more).toBe(100);
    expect(shown[0]?.changes).toHaveLength(11);
    expect(shown[0]?.changes.at(-1)).toBe('… 40 more');
  });

  it('are counted, and each that changed is one change', () => {
    const items = [
      item('a', 'done', ['one', 'two']),
      item('b', 'done'),
      item('c', 'failed'),
      item('d', 'skipped'),
      item('e', 'unchanged'),
    ];
    expect(countItems(items)).toEqual({ changed: 2, failed: 1, skipped: 1, unchanged: 1 });
    expect(changesOf(items)).toEqual([{ action: 'alter', kind: 'a', name: 'app.a', detail: '2 changes' }]);
  });
});

describe('an item', () => {
  const wanted: WantedGrants = {
    ...{ kind: 'grants', key: 'grants a', after: [], schema: 'a', mode: 'add', grants: [], customRoles: [] },
    createMissing: false,
  };
  const part = { index: 0, derived: undefined, whole: undefined, changes: ['grant reader to ann'] };
  const compared = { wanted, about: 'app.a', parts: [part], refusals: [], expired: 0, notes: [] };
  const progress = (state: StepState, record?: object) =>
    ({
      steps: [{ id: 'grants a #0', key: 'grants a', ref: { id: 'r' } }],
      states: new Map([['grants a #0', state]]),
      records: new Map(record ? [['grants a #0', record]] : []),
      because: new Map(),
      refused: new Map(),
      over: new Map(),
    }) as unknown as Progress;
  const notes = [{ code: 'SUPERSEDED', message: 'Something newer was decided.' }];

  it('about which something newer was decided is not done, and has changed nothing', () => {
    const superseded = progress('done', { state: 'succeeded', changes: [], notes });
    expect(supersededKeys(superseded)).toEqual(new Set(['grants a']));
    const [found] = resultItems([compared], superseded, new Set(['grants a']));
    expect(found).toMatchObject({ state: 'failed', changes: [], problem: { code: 'SUPERSEDED' } });
    expect(found?.problem?.message).toMatch(/newer was decided\. .*upload the file again/);
    // What it looks like by now is as wanted.
    expect(resultItems([compared], superseded)).toMatchObject([{ state: 'done', changes: [] }]);
    const done = progress('done', { state: 'succeeded', changes: [] });
    expect(resultItems([compared], done)).toMatchObject([{ state: 'done', changes: part.changes }]);
  });

  it('of a run that was overtaken says how far it got', () => {
    const told = (state: StepState) => resultItems([compared], progress(state), undefined, '8')[0];
    expect(told('waiting')).toMatchObject({ state: 'skipped', problem: { code: 'SUPERSEDED' } });
    expect(told('waiting')?.problem?.message).toMatch(/was not sent/);
    expect(told('under way')?.problem?.message).toMatch(/had not ended when generation #8/);
    expect(told('unchanged')).toMatchObject({ state: 'unchanged' });
  });
});

describe('the place of a result', () => {
  const place = (object: string, event = 'OBJECT_FINALIZE') =>
    resultPlace({ bucket: 'uploads', object }, '7', event).name;

  it('is a folder for each manifest, and a file for each generation', () => {
    expect(place('manifests/team/a.yaml')).toBe('results/manifests/team/a/7.json');
    expect(place('manifests/team.x/a')).toBe('results/manifests/team.x/a/7.json');
    expect(place('manifests/a.yaml', 'OBJECT_DELETE')).toBe('results/manifests/a/7.deleted.json');
  });

  it('is never longer than a name may be', () => {
    const name = place(`manifests/${'ä'.repeat(505)}.yaml`);
    expect(name).toMatch(/^results\/[0-9a-f]{40}\/7\.json$/);
  });
});
