import { describe, expect, test } from 'vitest';
import {
  graphOf,
  howOf,
  type Path,
  passesOn,
  pathsFrom,
  roleToSet,
} from '../../../../shared/postgres/access/paths.ts';
import type { MembershipRow } from '../../../../shared/postgres/access/rows.ts';

const inherit = { inherit: true, set: false, admin: false };
const set = { inherit: false, set: true, admin: false };
const both = { inherit: true, set: true, admin: false };
const admin = { inherit: false, set: false, admin: true };
const nothing = { inherit: false, set: false, admin: false };

/** `a` is a member of `b`, `b` of `c` and so on, with these options. */
function chain(...options: readonly Omit<MembershipRow, 'role' | 'member' | 'grantor'>[]): Path {
  const name = (index: number) => String.fromCharCode(97 + index);
  const rows = options.map((given, index) => ({
    role: name(index + 1),
    member: name(index),
    grantor: 'g',
    ...given,
  }));
  const { paths } = pathsFrom('a', graphOf(rows), () => true);
  return paths.at(-1) as Path;
}

describe('what a path of memberships is good for', () => {
  test.each([
    ['nothing to cross', [], 'inherit', 'a'],
    ['all inherited', [inherit, both], 'inherit', 'a'],
    ['all by SET', [set, set], 'set', 'c'],
    ['SET, then inherited', [set, inherit], 'set', 'b'],
    ['SET for longer than it has to be', [set, both, both], 'set', 'b'],
    ['inherited, then SET: the login itself may not SET ROLE to that', [inherit, set], 'none', undefined],
    ['both, then SET', [both, set], 'set', 'c'],
    ['neither', [both, nothing], 'none', undefined],
    ['ADMIN of what would give it', [admin], 'admin', undefined],
    ['ADMIN by a role that is inherited', [inherit, admin], 'admin', undefined],
    ['ADMIN by a role that one may act as', [set, admin, inherit], 'admin', undefined],
    ['ADMIN by a role that is out of reach', [nothing, admin], 'none', undefined],
    ['ADMIN, then neither', [admin, nothing], 'none', undefined],
  ] as const)('%s', (_case, options, how, role) => {
    const path = chain(...options);
    expect({ how: howOf(path), role: roleToSet(path) }).toEqual({ how, role });
  });

  test('an attribute is not inherited', () => {
    expect(howOf(chain(inherit), { attribute: true })).toBe('none');
    expect(howOf(chain(both), { attribute: true })).toBe('set');
    expect(roleToSet(chain(both, both), { attribute: true })).toBe('c');
    expect(howOf(chain(both))).toBe('inherit');
  });

  test('who has ADMIN passes on what leads there, where it has the privileges of the member', () => {
    expect(passesOn(chain({ ...both, admin: true }), 0)).toBe(true);
    expect(passesOn(chain(set, admin), 1)).toBe(true);
    expect(passesOn(chain(nothing, admin), 1)).toBe(false);
    expect(passesOn(chain(both), 0)).toBe(false);
  });
});

describe('a graph of memberships', () => {
  test('adds up what several grantors gave', () => {
    const rows = [
      { role: 'r', member: 'm', grantor: 'y', ...set },
      { role: 'r', member: 'm', grantor: 'x', ...inherit },
    ];
    const [step] = graphOf(rows).get('m') ?? [];
    expect(step).toMatchObject({ inherit: true, set: true, admin: false });
    expect(step?.grants.map(({ grantor }) => grantor)).toEqual(['x', 'y']);
  });

  test('leads on only through what may be passed', () => {
    const rows = [
      { role: 'b', member: 'a', grantor: 'g', ...both },
      { role: 'c', member: 'b', grantor: 'g', ...both },
    ];
    const ends = (passes: (role: string) => boolean) =>
      pathsFrom('a', graphOf(rows), passes).paths.map(({ roles }) => roles.at(-1));
    expect(ends(() => true)).toEqual(['a', 'b', 'c']);
    expect(ends((role) => role !== 'b')).toEqual(['a', 'b']);
  });

  test('of very many ways not all are told, but none that gives more than the others', () => {
    // Sixteen layers of four groups: four billion ways to the last one, of which one is inherited all the way.
    const rows: MembershipRow[] = [];
    const layers = 16;
    const group = (layer: number, index: number) => (layer === 0 ? 'me' : `g${layer}_${index}`);
    for (let layer = 0; layer < layers; layer += 1) {
      for (const from of layer === 0 ? [0] : [0, 1, 2, 3]) {
        for (const to of [0, 1, 2, 3]) {
          const options = from === 3 && to === 3 ? both : layer === 0 && to === 3 ? both : set;
          rows.push({ role: group(layer + 1, to), member: group(layer, from), grantor: 'g', ...options });
        }
      }
    }
    rows.push({ role: 'goal', member: group(layers, 3), grantor: 'g', ...both });

    const { paths, cut } = pathsFrom('me', graphOf(rows), () => true);

    expect(cut).toBe(true);
    const toGoal = paths.filter(({ roles }) => roles.at(-1) === 'goal').map((path) => howOf(path));
    expect(new Set(toGoal)).toEqual(new Set(['inherit', 'set']));
    expect(paths.length).toBeLessThan(5000);
  });
});
