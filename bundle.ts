import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';
import protobuf from 'protobufjs';

/** Where a bundle of the functions goes unless somebody says otherwise. */
export const bundleFolder = path.join(import.meta.dirname, 'dist');

/** The file of a bundle to run with Node. */
export const startFile = 'index.js';

const cacheFolder = 'compile-cache';

/** It has libraries of the machine's own, which can't be put into a file of JavaScript. */
const native = 'sharp';

/** What runs in threads of its own, in files of its own. */
const workers = {
  'heic-worker': path.join(import.meta.dirname, 'functions', 'ingest-object', 'media', 'heic-worker.ts'),
};

/** Loaded when something unusual happens; node-fetch is what authentication uses where there is no fetch. */
const rarely = /node_modules[\\/](?:node-fetch|https-proxy-agent|p-throttle)[\\/]/;

/** What CommonJS libraries expect to be there, and ES modules lack. */
const commonJsShim = [
  `import { createRequire as createRequireForBundle } from 'node:module';`,
  'const require = createRequireForBundle(import.meta.url);',
  'const __filename = import.meta.filename;',
  'const __dirname = import.meta.dirname;',
].join('\n');

/**
 * Runs before anything else is loaded: a compile cache that is enabled later misses what came before. Portable, for
 * an image is built in one folder and may run in another.
 */
const starter = `import { enableCompileCache } from 'node:module';
enableCompileCache({ directory: \`\${import.meta.dirname}/${cacheFolder}\`, portable: true });
await import('./main.js');
`;

/**
 * Google's clients export thousands of message classes that they don't use themselves: these are made when somebody
 * asks for them, as nobody does.
 */
const lazyMessageClasses: Plugin = {
  name: 'lazy-message-classes',
  setup({ onLoad }) {
    const exporting = /const (\w+) = (.*require\("\.\.\/protos\/\w+"\)\)?);\s+exports\.\1 = \1;/g;
    const files =
      /[\\/](?:google-gax|@google-cloud[\\/](?:firestore-api|kms|pubsub|pubsub-api|secret-manager))[\\/]build[\\/]src[\\/](?:index|fallback)\.js$/;
    onLoad({ filter: files }, async ({ path: file }) => {
      const text = await readFile(file, 'utf8');
      const contents = text.replace(
        exporting,
        'Object.defineProperty(exports, "$1", { enumerable: true, configurable: true, get: () => $2 });',
      );
      const warnings =
        contents === text ? [{ text: 'exports no message classes in the way it used to' }] : [];
      return { contents, warnings };
    });
  },
};

/** Pub/Sub's message classes are never asked for, and reading 4 MB takes time. Firestore's are: its serializer uses them. */
const withoutMessageClasses: Plugin = {
  name: 'without-message-classes',
  setup({ onLoad }) {
    const files = /[\\/]@google-cloud[\\/]pubsub(?:-api)?[\\/]build[\\/]protos[\\/]protos\.js$/;
    const contents = `throw new Error("Pub/Sub's message classes are not part of this bundle");`;
    onLoad({ filter: files }, () => ({ contents }));
  },
};

/**
 * Pub/Sub's client makes the types of all its messages before it calls anything, and those of IAM, which it offers as
 * well. All that is called is Publish: it gets the types for that.
 */
const onlyPublishing: Plugin = {
  name: 'only-publishing',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]pubsub-api[\\/]build[\\/]protos[\\/]protos\.json$/ }, async ({ path: file }) => {
      const { pubsub, protobuf: common } = JSON.parse(await readFile(file, 'utf8')).nested.google.nested;
      const { Publisher, PublishRequest, PublishResponse, PubsubMessage } = pubsub.nested.v1.nested;
      const { Timestamp } = common.nested;
      const publisher = { ...Publisher, methods: { Publish: Publisher.methods.Publish } };
      const v1 = { nested: { Publisher: publisher, PublishRequest, PublishResponse, PubsubMessage } };
      const google = { nested: { pubsub: { nested: { v1 } }, protobuf: { nested: { Timestamp } } } };
      const types = { nested: { google } };
      protobuf.Root.fromJSON(types).resolveAll(); // throws where one of them needs one that is left out
      return { loader: 'json', contents: JSON.stringify(types) };
    });
    onLoad({ filter: /[\\/]google-gax[\\/]build[\\/]protos[\\/]iam_service\.json$/ }, () => ({
      loader: 'json',
      contents: '{ "nested": {} }',
    }));
  },
};

/**
 * Bundles an entry point with everything it needs, so that the folder runs by itself.
 *
 * Whatever is imported dynamically is a chunk of its own: each function, and each large client. Not minified, because
 * that was measured to make a start slower.
 *
 * @param entry the module to bundle, by default the one of all functions
 */
export async function bundle(
  folder = bundleFolder,
  entry = path.join(import.meta.dirname, 'functions', 'index.ts'),
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: { main: entry, ...workers },
    outdir: folder,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: [native],
    banner: { js: commonJsShim },
    plugins: [lazyMessageClasses, withoutMessageClasses, onlyPublishing],
    metafile: true,
    sourcemap: 'external',
    legalComments: 'none',
    logLevel: 'warning',
  });
  await writeFile(path.join(folder, startFile), starter);
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }\n');
  await copyPackage(native, folder);
  await fillCompileCache(folder, metafile);
}

/** Copies a package of node_modules with all that it needs, as far as it is installed: of other platforms' parts, nothing is. */
async function copyPackage(name: string, folder: string, copied = new Set<string>()): Promise<void> {
  const from = path.join(import.meta.dirname, 'node_modules', name);
  if (copied.has(name) || !existsSync(from)) return;
  copied.add(name);
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    await readFile(path.join(from, 'package.json'), 'utf8'),
  ) as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  await cp(from, path.join(folder, 'node_modules', name), { recursive: true });
  for (const one of Object.keys({ ...dependencies, ...optionalDependencies }))
    await copyPackage(one, folder, copied);
}

function isWorker(entryPoint: string): boolean {
  return Object.values(workers).includes(path.resolve(entryPoint));
}

/** Loads everything that is loaded at a start or on first use, once, so that V8's code for it ships with the bundle. */
async function fillCompileCache(folder: string, { outputs }: Metafile): Promise<void> {
  const needed = Object.entries(outputs)
    .filter(
      ([, { entryPoint }]) => entryPoint !== undefined && !rarely.test(entryPoint) && !isWorker(entryPoint),
    )
    .map(([file]) => pathToFileURL(path.resolve(file)).href);
  const loader = `
    import { enableCompileCache } from 'node:module';
    enableCompileCache({ directory: ${JSON.stringify(path.join(folder, cacheFolder))}, portable: true });
    for (const file of ${JSON.stringify(needed)}) await import(file);
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', loader], {
    cwd: '/',
    env: { FUNCTION_TARGET: 'create-schema', GOOGLE_CLOUD_PROJECT: 'build', PORT: '0' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the bundle in ${folder} can't be loaded: exit code ${code}`);
}

if (import.meta.main) await bundle();
