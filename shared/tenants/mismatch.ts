import type { TenantRecord } from '../registry/tenants/model.ts';

/** What a message says of a tenant that can't be changed once it is there. */
export interface Unchangeable {
  readonly isolation: string;
  readonly target: { readonly instance: string; readonly database?: string | undefined };
  readonly features: { readonly opaqueNames: boolean };
  readonly level: string;
  /** The archive that it is restored from. */
  readonly restore?: string | undefined;
}

export interface Mismatch {
  /** The field of the message: `target.instance` */
  readonly path: string;
  readonly is: unknown;
  /** For people. */
  readonly message: string;
}

/** Where a message says something else of a tenant than is so, and that can't be changed: the first such field. */
export function mismatchOf(
  { isolation, target, features, level, restore }: Unchangeable,
  found: Pick<TenantRecord, 'tenant' | 'isolation' | 'place' | 'features' | 'level' | 'restored'>,
): Mismatch | undefined {
  const { tenant, place, restored } = found;
  const differing = [
    ['isolation', found.isolation, isolation],
    ['target.instance', place.instance, target.instance],
    ['target.database', place.database, target.database ?? place.database],
    ['features.opaqueNames', found.features.opaqueNames, features.opaqueNames],
    ['level', found.level, level],
    ['restore', restored, restore ?? restored],
  ].find(([, is, wanted]) => is !== wanted);
  if (differing === undefined) return undefined;
  const [path, is, wanted] = differing;
  const message = `The tenant ${tenant} is there, with ${path} ${JSON.stringify(is)} and not ${JSON.stringify(wanted)}. That can't be changed.`;
  return { path: String(path), is, message };
}
