import * as z from 'zod';
import { schemaName, target } from './postgres/target.ts';

/** Folders of a bucket that Drover itself writes to: no route covers them. */
export const previewsFolder = 'previews/';
export const resultsFolder = 'results/';

const reserved = [previewsFolder, resultsFolder];

/** In the bucket of the tenants. */
export const tenantsFolder = 'tenants/{tenant}/';
const userPart = '/{user}/';

/**
 * Names of objects: `{user}` and its like stand for one folder or name and are told, `*` for any run of characters within one,
 * `**` for any run of characters.
 */
const pattern = z
  .string()
  .min(1)
  .max(512)
  .superRefine((given, context) => {
    const problem = (message: string) => context.addIssue({ code: 'custom', message });
    const names = [...given.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name);
    if (/[{}]/.test(given.replaceAll(/\{[a-z][a-zA-Z]*\}/g, '')))
      problem('has braces that hold no name: {user}');
    if (new Set(names).size < names.length) problem('names the same part twice');
    if ((given.match(/\*\*/g)?.length ?? 0) > 1) problem('has ** twice');
    if (/^[*{]/.test(given)) problem('must begin with the name of a folder, or it covers what Drover writes');
    // Three could be told apart in so many ways that a long name would take minutes.
    if (given.split('/').some((part) => (part.match(/\*\*|\*|\{/g)?.length ?? 0) > 2))
      problem('has more than two of *, ** and {names} between slashes');
    const folder = reserved.find((name) => given.replace(tenantsFolder, '').startsWith(name));
    if (folder !== undefined) problem(`covers ${folder}, which Drover writes to`);
    if (given.startsWith(tenantsFolder) && /^[*{]/.test(given.slice(tenantsFolder.length)))
      problem(`must go on with the name of a folder after ${tenantsFolder}`);
  });

const patterns = z.union([pattern.transform((one) => [one]), z.array(pattern).min(1).max(20)]);

const bucket = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, { error: 'must be the name of a bucket' });

export const previewFormats = ['jpeg', 'webp', 'png'] as const;

const preview = z.strictObject({
  /** What its file is called, before the dot. */
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,30}$/, { error: 'must be lower case letters, digits and dashes' }),
  /** It fits into this, in pixels; an image that is smaller stays as it is. */
  width: z.number().int().min(16).max(4096),
  height: z.number().int().min(16).max(4096).optional(),
  formats: z.array(z.enum(previewFormats)).min(1).max(3),
  /** Of JPEG and WebP. */
  quality: z.number().int().min(1).max(100).default(80),
});

/** One size of an image, in one or more formats. */
export type PreviewSettings = z.infer<typeof preview>;

const standardPreviews: readonly PreviewSettings[] = [
  { name: 'thumbnail', width: 300, height: 300, formats: ['jpeg'], quality: 85 },
  ...[400, 800, 1200].map((width) => ({
    name: String(width),
    width,
    formats: ['webp' as const, 'png' as const],
    quality: 80,
  })),
];

const media = z
  .strictObject({
    kind: z.literal('media'),
    bucket,
    objects: patterns,
    /** Whose table has a row for each; without it that of the tenant in whose folder it is. */
    target: target.optional(),
    schema: schemaName.optional(),
    table: schemaName.default('media'),
    previews: z
      .array(preview)
      .max(20)
      .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
        error: 'names one twice',
      })
      .default([...standardPreviews]),
    /** What a file may have at most. */
    bytes: z
      .number()
      .int()
      .min(1)
      .max(100 * 1024 ** 2)
      .default(50 * 1024 ** 2),
    pixels: z.number().int().min(1).max(100_000_000).default(50_000_000),
    /** Keep where a photograph was taken. */
    gps: z.boolean().default(false),
    /** Of previews. They never change: another generation of an image has others. */
    cacheControl: z.string().min(1).max(200).default('private, max-age=604800, immutable'),
  })
  .superRefine(({ objects, target: where, schema }, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (objects.some((one) => one.includes('{user}') && !one.includes(userPart)))
      problem('objects', 'must have a folder of its own for each {user}');
    if (objects.some((one) => one.includes(userPart) && /[*{]/.test(beforeUser(one))))
      problem('objects', `must name the folders before {user}, other than ${tenantsFolder}: a user has one`);
    const ofTenants = objects.some((one) => one.includes('{tenant}'));
    if (ofTenants && !objects.every((one) => one.startsWith(tenantsFolder)))
      problem('objects', `must begin with ${tenantsFolder} where they are tenants’`);
    if (ofTenants && (where ?? schema) !== undefined)
      problem(where ? 'target' : 'schema', 'has no place where the tenant’s own is used');
    if (!ofTenants && where === undefined) problem('target', 'is needed: whose table it is');
    if (!ofTenants && schema === undefined) problem('schema', 'is needed: whose table it is');
  });

const manifest = z.strictObject({ kind: z.literal('manifest'), bucket, objects: patterns });

const archive = z
  .strictObject({
    kind: z.literal('archive'),
    bucket,
    /** Of which `**` or `{repository}` is what the repository is called. */
    objects: patterns,
    target,
    /** By default the repository's own: see sync-repo-metadata. */
    schema: schemaName.optional(),
  })
  .refine(({ objects }) => objects.every((one) => /\*\*|\{repository\}/.test(one)), {
    path: ['objects'],
    error: 'must have ** or {repository}: what the repository is called',
  });

export const routeSchema = z.discriminatedUnion('kind', [media, manifest, archive]);

/** What is done with the objects of a bucket whose names match. */
export type Route = z.infer<typeof routeSchema>;
export type MediaRoute = Extract<Route, { kind: 'media' }>;
export type ManifestRoute = Extract<Route, { kind: 'manifest' }>;
export type ArchiveRoute = Extract<Route, { kind: 'archive' }>;

/** A route that covers an object. */
export interface MatchedRoute<R extends Route = Route> {
  readonly route: R;
  /** What stood for the names in braces, and as `rest` for `**`. */
  readonly parts: Readonly<Record<string, string>>;
  /**
   * The folder of the object's user; where the route tells none, that of all its objects. Names of two users' objects never begin
   * with the same.
   */
  readonly folder: string;
}

/** The first route that covers an object; undefined where none does. */
export function routeOf(
  { bucket: name, object }: { readonly bucket: string; readonly object: string },
  routes: readonly Route[],
): MatchedRoute | undefined {
  // Whatever its pattern: previews would have previews.
  if (isOwnObject(object)) return undefined;
  for (const route of routes) {
    if (route.bucket !== name) continue;
    for (const one of route.objects) {
      const parts = partsOf(one, object);
      if (parts === undefined) continue;
      const [folder = ''] = new RegExp(`^${expressionOf(folderOf(one))}`, 's').exec(object) ?? [];
      return { route, parts, folder };
    }
  }
  return undefined;
}

/** Whether an object is one of those that Drover writes to a bucket which it has routes for. */
export function isOwnObject(object: string): boolean {
  const name = object.replace(/^tenants\/[^/]+\//s, '');
  return reserved.some((folder) => object.startsWith(folder) || name.startsWith(folder));
}

/** What stands for the names of a pattern in a name that it covers; undefined where it covers it not. */
export function partsOf(given: string, name: string): Readonly<Record<string, string>> | undefined {
  const match = new RegExp(`^${expressionOf(given)}$`, 's').exec(name);
  return match ? { ...match.groups } : undefined;
}

/** The part of a pattern that is a user's folder, or else what comes before anything can vary. */
export function folderOf(given: string): string {
  const user = given.indexOf(userPart);
  if (user !== -1) return given.slice(0, user + userPart.length);
  const fixed = given.startsWith(tenantsFolder) ? tenantsFolder.length : 0;
  const varying = given.slice(fixed).search(/[*{]/);
  return given.slice(0, given.lastIndexOf('/', varying === -1 ? given.length : fixed + varying) + 1);
}

function beforeUser(given: string): string {
  return given.slice(0, given.indexOf(userPart)).replace(tenantsFolder, '');
}

function expressionOf(given: string): string {
  const parts = given.split(/(\*\*|\*|\{[a-zA-Z]+\})/).map((part) => {
    if (part === '**') return '(?<rest>.*)';
    if (part === '*') return '[^/]*';
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    return name === undefined ? RegExp.escape(part) : `(?<${name}>[^/]+)`;
  });
  return parts.join('');
}
