import type { Note } from '../../../../shared/operation/outcome.ts';
import { type CustomRole, checksumOf } from '../../../../shared/postgres/custom-role.ts';
import { hasRole, markerIn } from '../../../../shared/postgres/grants/found.ts';
import type { DesiredGrants } from '../../../../shared/postgres/grants/model.ts';
import { planGrants } from '../../../../shared/postgres/grants/plan.ts';
import { examineGrants, refuseScope } from '../../../../shared/postgres/grants/refusals.ts';
import { roleName, schemaLevels } from '../../../../shared/postgres/names.ts';
import { cutText } from '../../../../shared/registry/grants/bounds.ts';
import {
  type Author,
  type GrantSet,
  type GrantState,
  grantKey,
  mostReasonBytes,
} from '../../../../shared/registry/grants/model.ts';
import { grantMark } from '../../../../shared/registry/manifests/model.ts';
import { type GrantWish, roleOf } from '../../../grant-roles/message.ts';
import type { Catalog } from '../catalog.ts';
import { chunksOf, grantsMessage, schemaOf } from '../derived.ts';
import type { WantedGrants } from '../wanted.ts';
import type { Where } from '../where.ts';
import type { ComparedPart, Refusal } from './model.ts';

/** What a comparison of grants goes by. */
interface Facts {
  readonly wanted: WantedGrants;
  readonly where: Where;
  /** Undefined where the registry has none. */
  readonly set: GrantSet | undefined;
  /** Undefined where there is no database yet. */
  readonly catalog: Catalog | undefined;
}

export interface ComparedGrants {
  readonly parts: readonly ComparedPart[];
  readonly expired: number;
  readonly notes: readonly Note[];
}

/**
 * What of an item's grants is left to do. Unchanged is what the registry has as decided, with the same end and reason, and the
 * catalog, too. Of mode `add` and `revoke` only what differs is asked for; `exact` is one whole.
 *
 * @param now by the database's clock
 */
export function compareGrants(facts: Facts, now: Date): ComparedGrants {
  const { wanted, where } = facts;
  const { mode } = wanted;
  const isOver = ({ expiresAt }: GrantWish) =>
    mode !== 'revoke' && expiresAt !== undefined && new Date(expiresAt) <= now;
  const roles = wanted.customRoles.filter((role) => differsAsRole(facts, role));
  const judge = judgeOf(facts);
  const isGone = (grant: GrantWish) =>
    mode === 'revoke' && (!judge.hasRole(grant) || !isTakenBack(facts, grant, now));
  const chunks = chunksOf(wanted).map((chunk) => chunk.filter((grant) => !isOver(grant) && !isGone(grant)));
  const parts = chunks.map((asked, index): ComparedPart => {
    const define = index === 0 ? roles : [];
    const differing = asked.filter((grant) => judge.differs(grant));
    const surplus = mode === 'exact' ? judge.surplus(asked) : [];
    const changes = [
      ...define.map(({ name, version }) => `define the role ${name}, version ${version}`),
      ...differing.map((grant) => inWords(grant, mode, judge.change(grant))),
      ...surplus.map(({ role, principal }) => `revoke ${role} from ${principal}`),
    ];
    const all = index === 0 ? wanted.customRoles : [];
    const whole = grantsMessage(wanted, asked, all, where);
    const isNothing = mode !== 'exact' && asked.length + all.length === 0;
    const some = mode === 'exact' ? whole : grantsMessage(wanted, differing, define, where);
    const dated = mode === 'revoke' ? afterAll(facts, asked) : undefined;
    return {
      index,
      derived: changes.length > 0 ? some : undefined,
      whole: isNothing ? undefined : whole,
      changes,
      ...(dated ? { dated } : {}),
    };
  });
  const kept = mode === 'revoke' ? wanted.grants.filter((grant) => isOthers(facts, grant, judge)) : [];
  const notes = [...judge.notes(chunks.flat()), ...othersNotes(kept)];
  return { parts, expired: wanted.grants.filter(isOver).length, notes };
}

/** What the registry says of a grant that is there, by whoever decided it last; of what isn't decided also what was before. */
function statesOf({ wanted, set }: Facts, grant: GrantWish): (GrantState & Author)[] {
  const known = set?.grants[grantKey({ role: roleOf(grant), principal: grant.principal })];
  if (known === undefined) return [];
  const all = [known.value, ...(known.undecided && known.before ? [known.before] : [])];
  const { grantedBy } = wanted;
  return all.filter(
    ({ present, operation }) => present && (grantedBy === undefined || grantedBy.has(grantMark(operation))),
  );
}

/** Only what a manifest's own operations granted is its to take back; what runs out is taken back anyway. */
function isTakenBack(facts: Facts, grant: GrantWish, now: Date): boolean {
  if (facts.wanted.grantedBy === undefined) return true;
  return statesOf(facts, grant).some(({ expiresAt }) => expiresAt === undefined || expiresAt > now);
}

/** Somebody has it, and by others than this manifest's operations. */
function isOthers(facts: Facts, grant: GrantWish, judge: Judge): boolean {
  return judge.hasRole(grant) && statesOf(facts, grant).length === 0 && judge.differs(grant);
}

/**
 * After the grants that are taken back, and before whatever anybody granted since: a manifest that is deleted long after it granted
 * something takes away nobody else's.
 */
function afterAll(facts: Facts, grants: readonly GrantWish[]): Date | undefined {
  const times = grants.flatMap((grant) =>
    statesOf(facts, grant).map(({ publishedAt }) => publishedAt.getTime()),
  );
  return times.length === 0 ? undefined : new Date(Math.max(...times) + 1);
}

/** More than anybody reads. */
const mostNamed = 20;

function othersNotes(kept: readonly GrantWish[]): Note[] {
  if (kept.length === 0) return [];
  const names = kept.slice(0, mostNamed).map((grant) => `${grant.principal} ${roleOf(grant)}`);
  const more = kept.length > mostNamed ? ` and ${kept.length - mostNamed} more` : '';
  const message = `No longer named, and left as it is, for this file didn’t grant it: ${names.join(', ')}${more}.`;
  return [{ code: 'KEPT', message }];
}

function inWords(grant: GrantWish, mode: WantedGrants['mode'], change: GrantChange): string {
  if (mode === 'revoke') return `revoke ${roleOf(grant)} from ${grant.principal}`;
  const what = `${roleOf(grant)} of ${grant.principal}`;
  if (change === 'end') return `change the end of ${what} to ${grant.expiresAt ?? 'never'}`;
  if (change === 'reason') return `change the reason of ${what}`;
  const until = grant.expiresAt === undefined ? '' : ` until ${grant.expiresAt}`;
  return `grant ${roleOf(grant)} to ${grant.principal}${until}`;
}

/** What somebody has already, another end or reason is only told of. */
type GrantChange = 'grant' | 'end' | 'reason';

interface Judge {
  /** There is a role that can be taken from somebody. */
  hasRole(grant: GrantWish): boolean;
  differs(grant: GrantWish): boolean;
  /** How a grant differs. */
  change(grant: GrantWish): GrantChange;
  /** What is not as asked for, and only somebody else can change. */
  notes(asked: readonly GrantWish[]): readonly Note[];
  /** Whom mode exact would take a role from. */
  surplus(asked: readonly GrantWish[]): { readonly role: string; readonly principal: string }[];
}

function judgeOf(facts: Facts): Judge {
  const { wanted, where, set, catalog } = facts;
  const { mode } = wanted;
  const isManaged = catalog !== undefined && !refuseScope(scopeOf(facts), catalog.grants.found);
  if (catalog === undefined || !isManaged) {
    // Of what isn't there nothing is left to be revoked; all else can be granted once it is there.
    return {
      hasRole: () => false,
      differs: () => mode !== 'revoke',
      change: () => 'grant',
      notes: () => [],
      surplus: () => [],
    };
  }
  const index = catalog.grants;
  const customRoles = Object.keys(set?.customRoles ?? {});
  const planOf = (grants: DesiredGrants['grants'], surplus: DesiredGrants['surplus']) => {
    const fence = undefined;
    const scope = { ...scopeOf(facts), grants, customRoles, surplus, undecided: [], fence };
    const [planned] = planGrants([scope], index);
    return planned;
  };
  const plan = (...given: Parameters<typeof planOf>) =>
    planOf(...given)?.steps.flatMap(({ changes }) => changes) ?? [];
  const asWanted = (grant: GrantWish) => ({
    role: roleOf(grant),
    principal: grant.principal,
    present: mode !== 'revoke',
  });
  const canBe = (grant: GrantWish) =>
    index.principals.has(grant.principal) && hasRole(scopeOf(facts), roleOf(grant), index.found);
  // All at once, which most often says that nothing differs; only where something does, one by one.
  const whole = planOf(wanted.grants.filter(canBe).map(asWanted), 'ignore');
  const isSo = !whole?.steps.some(({ changes }) => changes.length > 0);
  const differsInCatalog = (grant: GrantWish) => !isSo && plan([asWanted(grant)], 'ignore').length > 0;
  return {
    hasRole: (grant) => hasRole(scopeOf(facts), roleOf(grant), index.found),
    differs(grant) {
      if (mode === 'revoke') {
        const known = set?.grants[grantKey(asWanted(grant))];
        return known?.undecided === true || known?.value.present === true || differsInCatalog(grant);
      }
      return !canBe(grant) || differsInRegistry(set, grant) || differsInCatalog(grant);
    },
    change(grant) {
      const known = set?.grants[grantKey(asWanted(grant))];
      if (!canBe(grant) || differsInCatalog(grant) || known?.undecided) return 'grant';
      if (known?.value.expiresAt?.getTime() !== endOf(grant)) return 'end';
      return known?.value.present ? 'reason' : 'grant';
    },
    notes: (asked) =>
      (mode === 'exact' ? planOf(asked.filter(canBe).map(asWanted), 'revoke') : whole)?.notes ?? [],
    surplus(asked) {
      const keys = new Set(asked.map((grant) => grantKey(asWanted(grant))));
      const registered = Object.values(set?.grants ?? {}).filter(
        ({ value, undecided, ...one }) => (value.present || undecided) && !keys.has(grantKey(one)),
      );
      const present = asked.filter(canBe).map(asWanted);
      const revoked = plan(present, 'revoke').filter(({ action }) => action === 'revoke');
      const { database } = where.target;
      const nameOf = (role: string) => roleName(database, schemaOf(wanted, where), role);
      const isTold = (name: string, detail = '') =>
        registered.some(({ role, principal }) => nameOf(role) === name && detail === `from ${principal}`);
      return [
        ...registered.map(({ role, principal }) => ({ role, principal })),
        ...revoked
          .filter(({ name, detail }) => !isTold(name, detail))
          .map(({ name, detail = '' }) => ({ role: name, principal: detail.replace(/^from /, '') })),
      ];
    },
  };
}

function scopeOf({ wanted, where }: Pick<Facts, 'wanted' | 'where'>) {
  return { database: where.target.database, schema: schemaOf(wanted, where) };
}

function differsInRegistry(set: GrantSet | undefined, grant: GrantWish): boolean {
  const known = set?.grants[grantKey({ role: roleOf(grant), principal: grant.principal })];
  if (!known || known.undecided || !known.value.present || known.kind !== grant.kind) return true;
  const { expiresAt, reason } = known.value;
  const why = grant.reason === undefined ? undefined : cutText(grant.reason, mostReasonBytes);
  return expiresAt?.getTime() !== endOf(grant) || reason !== why;
}

function endOf({ expiresAt }: GrantWish): number | undefined {
  return expiresAt === undefined ? undefined : new Date(expiresAt).getTime();
}

function differsAsRole({ set, catalog, wanted, where }: Facts, role: CustomRole): boolean {
  const roles = set?.customRoles ?? {};
  const known = Object.hasOwn(roles, role.name) ? roles[role.name] : undefined;
  const checksum = checksumOf(role);
  if (!known || known.undecided || known.value.definition.version !== role.version) return true;
  if (known.value.checksum !== checksum || catalog === undefined) return true;
  const name = roleName(where.target.database, schemaOf(wanted, where), role.name);
  const marker = markerIn(catalog.grants.found, name);
  return marker?.version !== role.version || marker.checksum !== checksum;
}

/** What there will be by the time that grants are made, for the same manifest makes it. */
export interface Soon {
  /** The schema, or what the database's own roles come with. */
  readonly isMade: boolean;
  readonly roles: readonly CustomRole[];
  readonly logins: ReadonlySet<string>;
}

/** What stands against an item's grants, as far as can be told beforehand. */
export function refuseGrants(facts: Facts, { isMade, roles, logins }: Soon, now: Date): Refusal[] {
  const { wanted, catalog, set } = facts;
  if (catalog === undefined || wanted.mode === 'revoke') return [];
  const { found } = catalog.grants;
  const unmanaged = isMade ? undefined : refuseScope(scopeOf(facts), found);
  if (unmanaged) return [unmanaged];
  const live = wanted.grants.filter(({ expiresAt }) => expiresAt === undefined || new Date(expiresAt) > now);
  const examined = live.map((grant) => ({
    principal: grant.principal,
    kind: grant.kind,
    role: roleOf(grant),
    present: true,
  }));
  const defined = [...roles, ...(isMade ? levelsOf(examined) : [])];
  const refusals = examineGrants(scopeOf(facts), examined, found, defined).filter(({ code, index }) => {
    const grant = live[index];
    if (code !== 'PRINCIPAL_NOT_FOUND' || grant === undefined) return true;
    return grant.kind === 'login' ? !logins.has(grant.principal) : !wanted.createMissing;
  });
  const conflicts = wanted.customRoles.filter(({ name, version, ...rest }) => {
    const roles = set?.customRoles ?? {};
    const known = Object.hasOwn(roles, name) ? roles[name]?.value : undefined;
    return known?.definition.version === version && known.checksum !== checksumOf({ name, version, ...rest });
  });
  return [
    ...refusals.map(({ code, message }) => ({ code, message })),
    ...conflicts.map(({ name, version }) => ({
      code: 'ROLE_VERSION_CONFLICT',
      message: `The custom role ${name} has another definition with the version ${version}.`,
    })),
  ];
}

const levels: readonly string[] = [...schemaLevels, 'monitor'];

function levelsOf(examined: readonly { readonly role: string }[]) {
  const asked = examined.map(({ role }) => role).filter((role) => levels.includes(role));
  return [...new Set(asked)].map((name) => ({ name, inherits: [] }));
}
