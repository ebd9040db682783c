import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexGrants } from '../../../../shared/postgres/grants/found.ts';
import type { DesiredGrants, InspectedGrants } from '../../../../shared/postgres/grants/model.ts';
import { planGrants } from '../../../../shared/postgres/grants/plan.ts';
import { adminRole, roleName } from '../../../../shared/postgres/names.ts';
import { atPresent, type Row, wrongs } from './judge.ts';
import { Memberships } from './memberships.ts';
import { actorNameOf, deeds, desiredOf, ownMember, places, type Role, wish } from './states.ts';

const anyPlace = fc.constantFrom(...places);
const anyVersion = fc.constantFrom(15 as const, 16 as const);
const planOf = (desired: DesiredGrants, found: InspectedGrants) => {
  const [plan] = planGrants([desired], indexGrants(found));
  if (plan === undefined) throw new Error('there is no plan');
  return plan;
};

/** Whether a role works for a member: acting as the owner, and the rights of all else. */
const works = (rows: readonly Row[], role: string, member: string, asOwner: boolean) =>
  rows.some((row) => row.role === role && row.member === member && (asOwner ? row.set : row.inherit));

const [open, closed] = places as [(typeof places)[0], (typeof places)[0]];

/** The statements for some wanted grants, where this was granted by Drover's admin before. */
function statements(
  place: typeof open,
  granted: [Role, string][],
  wanted: Record<string, string>,
  more: Partial<DesiredGrants> = {},
): string[] {
  const memberships = new Memberships(place, 16);
  for (const [role, member] of granted) {
    const isOwner = role.endsWith('owner');
    const by = role === 'connect' ? adminRole : role.startsWith('other') ? 'shard' : 'acting';
    const how = { admin: false, inherit: !isOwner, set: isOwner };
    memberships.attempt({ role, member: member as 'alice', by, ...how });
  }
  const { database, schema } = place;
  const desired: DesiredGrants = {
    database,
    schema,
    grants: Object.entries(wanted).map(([who, role]) => ({
      role: role.replace('no ', ''),
      principal: who,
      present: !role.startsWith('no '),
    })),
    customRoles: [],
    surplus: 'ignore',
    undecided: [],
    fence: { epoch: 7, outstanding: false },
    ...more,
  };
  return planOf(desired, memberships.inspect()).steps.map((step) => step.sql.text);
}

const mark = `COMMENT ON ROLE "locked__a_bc__owner" IS '{"managedBy":"drover","database":"locked","schema":"a_bc","level":"owner","grants":7}'`;

describe('a plan', () => {
  it('names those together who get the same, so many at a time', () => {
    const many = Object.fromEntries([...Array(101).keys()].map((n) => [`u${n}`, 'reader']));
    const texts = statements(open, [], many);
    // One comma is that of the options.
    expect(texts.map((text) => text.split(', ').length)).toEqual([101, 2, 1]);
    expect(texts[1]).toBe('GRANT "app__a_b__reader" TO "u100" WITH INHERIT TRUE, SET FALSE');
  });

  it('is nothing where all is as it should be', () => {
    expect(
      statements(
        closed,
        [
          ['owner', 'alice'],
          ['connect', 'alice'],
        ],
        { alice: 'owner' },
      ),
    ).toEqual([]);
  });

  it('lets who acts as the owner of a closed database’s schema connect, and no longer than that', () => {
    expect(statements(closed, [], { alice: 'owner' })).toEqual([
      'GRANT "locked__a_bc__owner" TO "alice" WITH INHERIT FALSE, SET TRUE',
      'GRANT "locked__connect" TO "alice" WITH INHERIT TRUE, SET FALSE GRANTED BY "drover_admin"',
      mark,
    ]);
    const granted: [Role, string][] = [
      ['owner', 'alice'],
      ['connect', 'alice'],
    ];
    expect(statements(closed, granted, { alice: 'no owner' })).toEqual([
      expect.stringMatching(
        /^REVOKE "locked__a_bc__owner" FROM "alice" GRANTED BY "drover_admin_\d\d" CASCADE$/,
      ),
      'REVOKE "locked__connect" FROM "alice" GRANTED BY "drover_admin" CASCADE',
      mark,
    ]);
    expect(statements(closed, [...granted, ['other owner', 'alice']], { alice: 'no owner' })).toEqual([
      expect.stringContaining('REVOKE "locked__a_bc__owner"'),
      mark,
    ]);
  });

  it('for the database’s own roles leaves alone who may connect', () => {
    const database = { schema: undefined, surplus: 'revoke' } as const;
    expect(statements(closed, [['connect', 'alice']], {}, database)).toEqual([]);
  });

  it('leaves alone a role that is only called like one of Drover’s', () => {
    const found = new Memberships(open, 16).inspect();
    const roles = found.roles.map(({ name, comment }) => ({
      name,
      comment: name === 'app__a_b__reader' ? comment.replace('a_b', 'a_bc') : comment,
    }));
    const how = { grantor: adminRole, admin: false, inherit: true, set: false };
    const members = [{ role: 'app__a_b__reader', ...how, members: ['bob'] }];
    for (const schema of [open.schema, open.other]) {
      const plan = planOf(
        {
          ...desiredOf(
            open,
            {
              grants: [{ role: 'reader', principal: 'alice', present: true }],
              surplus: 'revoke',
              undecided: [],
              outstanding: false,
            },
            7,
          ),
          schema,
        },
        { ...found, roles, members },
      );
      expect(plan.steps.map((step) => step.sql.text).join()).not.toContain('app__a_b__reader');
      expect(plan.notes.map(({ code }) => code)).toEqual(schema === open.schema ? ['LEVEL_NOT_FOUND'] : []);
    }
  });
});

describe('a plan for any state of the catalog', () => {
  it('brings about what is desired, tells what it can’t, and touches nothing else', () => {
    fc.assert(
      fc.property(anyPlace, anyVersion, deeds, wish, (place, version, past, wished) => {
        const memberships = new Memberships(place, version);
        for (const deed of past) memberships.attempt(deed);
        const before = memberships.rows;
        const desired = desiredOf(place, wished, 7);

        const plan = planOf(desired, memberships.inspect());
        for (const step of plan.steps) memberships.execute(step.sql.text);

        const { options, rows: after } = memberships;
        expect(wrongs({ place, desired, plan, options, before, after })).toEqual([]);
        const done = { ...desired, fence: { epoch: 7, outstanding: false } };
        expect(planOf(done, memberships.inspect()).steps).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves nobody for a moment without what he is to keep', () => {
    fc.assert(
      fc.property(anyPlace, anyVersion, deeds, wish, (place, version, past, wished) => {
        const memberships = new Memberships(place, version);
        for (const deed of past) memberships.attempt(deed);
        const desired = desiredOf(place, wished, 7);
        const kept = atPresent(desired).grants.filter(({ role, principal, present }) => {
          const name = roleName(place.database, place.schema, role);
          return present && works(memberships.rows, name, principal, role === 'owner');
        });
        for (const step of planOf(desired, memberships.inspect()).steps) {
          memberships.execute(step.sql.text);
          for (const { role, principal } of kept) {
            const name = roleName(place.database, place.schema, role);
            expect(works(memberships.rows, name, principal, role === 'owner'), step.sql.text).toBe(true);
          }
        }
      }),
      { numRuns: 700 },
    );
  });

  it('says of each membership that it takes away, with another or by itself, whose it was', () => {
    fc.assert(
      fc.property(anyPlace, anyVersion, deeds, wish, (place, version, past, wished) => {
        const memberships = new Memberships(place, version);
        for (const deed of past) memberships.attempt(deed);
        const before = memberships.rows;
        const { steps } = planOf(desiredOf(place, wished, 7), memberships.inspect());
        for (const step of steps) memberships.execute(step.sql.text);

        const isSame = (one: Row) => (other: Row) =>
          one.role === other.role && one.member === other.member && one.grantor === other.grantor;
        const own = actorNameOf(ownMember, place);
        const gone = before.filter((row) => row.member !== own && !memberships.rows.some(isSame(row)));
        const said = steps
          .flatMap(({ changes }) => changes)
          .filter(({ action, detail = '' }) => action === 'revoke' && !detail.startsWith('ADMIN'));
        const what = (role: string, member: string) => `${role} of ${member}`;
        expect(
          said
            .map(({ name, detail = '' }) => what(name, detail.replace(/^.*?(?:from|granted to) /, '')))
            .sort(),
        ).toEqual(gone.map(({ role, member }) => what(role, member)).sort());
      }),
      { numRuns: 1000 },
    );
  });
});
