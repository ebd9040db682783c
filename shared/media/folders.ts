import type { ObjectPlace } from '../gcp/storage/client.ts';
import { hash } from '../operation/canonical.ts';
import {
  folderOf,
  isOwnObject,
  type MatchedRoute,
  type MediaRoute,
  partsOf,
  previewsFolder,
  type Route,
  routeOf,
  tenantsFolder,
} from '../routes.ts';

/**
 * Whose images they are, in the words of a route: what stands for `{user}` and `{tenant}` in the names of its objects, letter by
 * letter. Undefined is who has no such part: images of a catalogue are no user's.
 */
export interface MediaOwner {
  readonly user: string | undefined;
  readonly tenant?: string | undefined;
}

/** Each ends with a slash; more than one where a route has several patterns. */
export interface MediaFolders {
  readonly originals: readonly string[];
  readonly previews: readonly string[];
}

/** Where the images of an owner are, and their previews; none where the route is about others. */
export function foldersOf(route: MediaRoute, owner: MediaOwner): MediaFolders {
  const filled = (folders: readonly string[]) => [
    ...new Set(folders.flatMap((folder) => fill(folder, owner) ?? [])),
  ];
  const folders = route.objects.map(folderOf);
  return { originals: filled(folders), previews: filled(folders.map(previewsOf)) };
}

/**
 * The folder with the previews of an object, of whichever generation: those of one, made by one recipe, are in a folder of their own in
 * there, `{generation}-{recipe}/`. Objects that differ in no more than what follows the dot have different ones.
 */
export function previewFolder({ route, parts, folder }: MatchedRoute<MediaRoute>, object: string): string {
  const { tenant } = parts;
  const root = tenant === undefined ? '' : `tenants/${tenant}/`;
  const digest = hash(route.bucket, object).slice(0, 32);
  return `${root}${previewsFolder}${folder.slice(root.length)}${digest}/`;
}

/**
 * What of an owner's an object is, going by its name, whether it is there or not; undefined where it is none of his. The routes decide
 * as they do when an object arrives. A preview doesn't tell its object: where two owners share a folder it is neither's.
 */
export function mediaOf(
  { bucket, name }: ObjectPlace,
  owner: MediaOwner,
  routes: readonly Route[],
): 'original' | 'preview' | undefined {
  if (!isOwnObject(name)) {
    const matched = routeOf({ bucket, object: name }, routes);
    return matched?.route.kind === 'media' && isOwner(matched.parts, owner) ? 'original' : undefined;
  }
  const [, folder] = /^(.*\/)[0-9a-f]{32}\/[1-9][0-9]*-[0-9a-f]{16}\/[^/]+$/s.exec(name) ?? [];
  if (folder === undefined) return undefined;
  const owners = routes
    .filter((route) => route.kind === 'media' && route.bucket === bucket)
    .flatMap(({ objects }) => objects)
    .map((one) => partsOf(previewsOf(folderOf(one)), folder))
    .filter((parts) => parts !== undefined);
  return owners.length > 0 && owners.every((parts) => isOwner(parts, owner)) ? 'preview' : undefined;
}

/** Of a folder or of a pattern that covers folders. */
function previewsOf(folder: string): string {
  const root = folder.startsWith(tenantsFolder) ? tenantsFolder : '';
  return root + previewsFolder + folder.slice(root.length);
}

/** A folder's pattern with the names of its owner; undefined where it is another's, or nobody can be called so. */
function fill(folder: string, { user, tenant }: MediaOwner): string | undefined {
  const names: Readonly<Record<string, string | undefined>> = { '{user}': user, '{tenant}': tenant };
  for (const [part, name] of Object.entries(names)) {
    if (folder.includes(part) !== (name !== undefined)) return undefined;
    if (name === '' || name?.includes('/')) return undefined;
  }
  // At once: somebody may be called {tenant}.
  return folder.replaceAll(/\{(?:user|tenant)\}/g, (part) => names[part] ?? '');
}

function isOwner(parts: Readonly<Record<string, string>>, { user, tenant }: MediaOwner): boolean {
  return parts['user'] === user && parts['tenant'] === tenant;
}
