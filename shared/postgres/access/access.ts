import { parseMarker } from '../marker.ts';
import { abilities } from './abilities.ts';
import { type Holding, holdingsOf } from './holdings.ts';
import {
  compare,
  graphOf,
  type How,
  howOf,
  hows,
  type Path,
  passesOn,
  pathsFrom,
  roleToSet,
} from './paths.ts';
import type { AccessReport, DirectAccess, ManagedAccess, Principal, PrincipalKind, Way } from './report.ts';
import type { AccessRows, RoleRow } from './rows.ts';

/** A role of this database that Drover made: whose schema's it is, and which. */
interface Managed {
  readonly schema: string | null;
  readonly level: string;
}

/** What the parts of a report share. */
interface Context {
  readonly rows: AccessRows;
  readonly roles: ReadonlyMap<string, RoleRow>;
  readonly managed: ReadonlyMap<string, Managed>;
  readonly rights: ReadonlyMap<string, readonly string[]>;
  readonly holdings: ReadonlyMap<string | null, readonly Holding[]>;
}

/**
 * Who may do what, of what a catalog query found.
 *
 * Drover's roles aren't told about by themselves, whether they are groups or the ones that Drover acts by: only ways
 * through them. A role that can log in is nobody's group, whatever the comment on it says.
 */
export function accessReport(rows: AccessRows): AccessReport {
  const context = contextOf(rows);
  const { roles } = context;
  const graph = graphOf(rows.memberships);
  const managed: ManagedAccess[] = [];
  const direct: DirectAccess[] = publicAccess(context);
  const asDrover: { principal: string; how: How }[] = [];
  const cut: string[] = [];
  const isOwn = (name: string) => isMachinery(context, name);
  for (const role of principalsOf(context)) {
    const found = pathsFrom(role.name, graph, (name) => !isOwn(name));
    const own = found.paths.filter(({ roles: [, ...way] }) => way.some(isOwn)).map((path) => howOf(path));
    const [best] = own.sort((a, b) => hows.indexOf(a) - hows.indexOf(b));
    if (best !== undefined) asDrover.push({ principal: role.name, how: best });
    if (found.cut) cut.push(role.name);
    managed.push(...managedAccess(context, role, found.paths));
    direct.push(...directAccess(context, role, found.paths));
  }
  const named = new Set([...managed, ...direct].map(({ principal }) => principal));
  const namesWhere = (fits: (role: RoleRow) => boolean) =>
    [...roles.values()].filter(fits).map(({ name }) => name);
  return {
    database: rows.database,
    managed: managed.sort(inOrder),
    direct: direct.sort(inOrder),
    superusers: namesWhere(({ superuser }) => superuser),
    asDrover,
    createRole:
      rows.serverVersion < 160000
        ? namesWhere(({ createRole, superuser, machinery }) => createRole && !superuser && !machinery)
        : [],
    cannotConnect: namesWhere(({ name, connect }) => connect === false && named.has(name)),
    cut,
  };
}

/** Only what has to do with these: the access by Drover's roles to one schema's level or custom role. */
export function ofLevel(report: AccessReport, level: string): AccessReport {
  const managed = report.managed.filter(({ levels }) => levels.includes(level));
  return { ...report, managed, direct: [] };
}

/** The levels and custom roles that there are in the schemas looked at. */
export function levelsIn(rows: AccessRows): string[] {
  const { managed } = contextOf(rows);
  const here = [...managed.values()].filter(({ schema }) => schema === null || rows.schemas.includes(schema));
  return [...new Set(here.map(({ level }) => level))];
}

/** Cloud SQL makes an IAM principal a member of the group of its kind. */
export function kindOf({ iam, login }: Pick<RoleRow, 'iam' | 'login'>): PrincipalKind {
  if (iam.includes('cloudsqliamgroup')) return 'iam-group';
  if (iam.some((group) => group.endsWith('serviceaccount'))) return 'iam-service-account';
  if (iam.length > 0) return 'iam-user';
  return login ? 'login' : 'role';
}

function contextOf(rows: AccessRows): Context {
  const roles = new Map(
    [...rows.roles].sort((a, b) => compare(a.name, b.name)).map((role) => [role.name, role]),
  );
  const managed = new Map<string, Managed>();
  for (const { name, login, comment } of roles.values()) {
    const marker = login ? undefined : parseMarker(comment);
    // Whoever may connect is told of by what else it may do.
    if (marker === undefined || marker.database !== rows.database || isConnect(marker)) continue;
    managed.set(name, { schema: marker.schema ?? null, level: marker.level });
  }
  const rights = new Map(rows.held.map(({ role, rights }) => [role, rights]));
  return { rows, roles, managed, rights, holdings: holdingsOf(rows) };
}

function isConnect({ schema, level }: { schema?: string | undefined; level: string }): boolean {
  return schema === undefined && level === 'connect';
}

function isMachinery({ roles }: Context, name: string): boolean {
  return roles.get(name)?.machinery ?? false;
}

/** Whoever was asked for; or everybody who is neither Drover's nor above all rights. */
function principalsOf({ rows, roles }: Context): RoleRow[] {
  const asked = rows.principal === null ? undefined : roles.get(rows.principal);
  if (asked) return [asked];
  return [...roles.values()].filter(
    ({ superuser, machinery, login, comment }) =>
      !superuser && !machinery && (login || parseMarker(comment) === undefined),
  );
}

/** A path that goes on to more of the same schema's roles tells about those on the way, too. */
function managedAccess(context: Context, role: RoleRow, paths: readonly Path[]): ManagedAccess[] {
  const { rows, managed } = context;
  const leading = paths.flatMap((path) => {
    const end = managed.get(path.roles.at(-1) ?? '');
    const looked = end && (end.schema === null || rows.schemas.includes(end.schema));
    return looked ? [{ path, way: wayOf(path), ...end }] : [];
  });
  const byPath = new Map(leading.map((one) => [JSON.stringify(one.path.roles), one]));
  const told = new Set<string>();
  return leading.toReversed().flatMap(({ path, way, schema, level }): ManagedAccess[] => {
    if (told.has(JSON.stringify(path.roles))) return [];
    const levels = [level];
    const ends = [path.roles.length];
    for (let length = path.roles.length - 1; length > 0; length -= 1) {
      const key = JSON.stringify(path.roles.slice(0, length));
      const before = byPath.get(key);
      if (before?.schema !== schema || before.way.how !== way.how || before.way.setRole !== way.setRole)
        break;
      levels.unshift(before.level);
      ends.unshift(length);
      told.add(key);
    }
    const first = ends[0] ?? path.roles.length;
    return [
      {
        ...principalOf(role),
        schema,
        levels,
        can: isUsable(way) ? canDo(context, path.roles.slice(first - 1)) : [],
        ...way,
        admin: passesOn(path, first - 2),
      },
    ];
  });
}

function canDo({ rights, roles }: Context, names: readonly string[]): string[] {
  const statistics = names.some((name) => roles.get(name)?.statistics);
  return [
    ...abilities(names.flatMap((name) => rights.get(name) ?? [])),
    ...(statistics ? ['statistics'] : []),
  ];
}

function directAccess({ holdings }: Context, role: RoleRow, paths: readonly Path[]): DirectAccess[] {
  return paths.flatMap((path) => {
    const held = holdings.get(path.roles.at(-1) ?? '') ?? [];
    // A predefined role is what it is; who is a member of it is worth telling.
    const worth = held.filter(({ by }) => by !== 'predefined role' || path.steps.length > 0);
    return worth.map((holding): DirectAccess => {
      const way = wayOf(path, { attribute: holding.by === 'superuser' });
      return { ...principalOf(role), ...holding, can: isUsable(way) ? holding.can : [], ...way };
    });
  });
}

function publicAccess({ holdings }: Context): DirectAccess[] {
  const everybody = { principal: 'PUBLIC', kind: 'public' } as const;
  const way = { path: [], how: 'inherit', setRole: null, memberships: [] } as const;
  return (holdings.get(null) ?? []).map((holding) => ({ ...everybody, ...holding, ...way }));
}

function wayOf(path: Path, options: { attribute?: boolean } = {}): Way {
  const how = howOf(path, options);
  const setRole = how === 'set' ? (roleToSet(path, options) ?? null) : null;
  return { path: path.roles, how, setRole, memberships: path.steps };
}

function isUsable({ how }: Way): boolean {
  return how === 'inherit' || how === 'set';
}

function principalOf(role: RoleRow): Principal {
  return { principal: role.name, kind: kindOf(role) };
}

function inOrder(a: ManagedAccess | DirectAccess, b: ManagedAccess | DirectAccess): number {
  return (
    compare(a.schema ?? '', b.schema ?? '') ||
    compare(a.principal, b.principal) ||
    hows.indexOf(a.how) - hows.indexOf(b.how) ||
    compare(JSON.stringify(a.path), JSON.stringify(b.path))
  );
}
