import { createWriteStream, mkdirSync, rmSync, type WriteStream, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { type Stack, startStack } from './stack.ts';
import { tourRoutes } from './tour/objects.ts';
import { runTour } from './tour/run.ts';
import { tourDatabases, tourPolicy } from './tour/steps.ts';

const usage = `Starts Drover's local cloud, runs the tour and stays up.

  npm start                     boot, tour, stay up until Ctrl-C
  npm start -- --once           boot, tour, exit: 0 if every step did what it should
  npm start -- --no-tour        boot and stay up
  npm start -- --ports auto     free ports instead of the usual ones
`;

const folder = path.resolve(import.meta.dirname, '..', '.drover');
const environmentFile = path.join(folder, 'local.env');
const instancesFile = path.join(folder, 'instances.json');

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const startedAt = Date.now();
  const logs = openLogs();
  const interrupted = onInterrupt();
  const stack = await startStack({
    ports: options.ports,
    databases: tourDatabases,
    policy: tourPolicy,
    environment: { DROVER_ROUTES: JSON.stringify(tourRoutes) },
    schedules: true,
    minimumBackoffSeconds: 1,
    onLog: (name, line) => logs(name).write(`${line}\n`),
  });
  try {
    writeEnvironment(stack);
    introduce(stack, Date.now() - startedAt);
    const surprises = options.tour ? await Promise.race([runTour(stack), interrupted]) : [];
    if (surprises === 'interrupted') return interruptedExitCode;
    if (options.tour) conclude(surprises);
    if (!options.once) {
      console.log(
        `\nThe local cloud is up. In another terminal: npm run --silent drover -- --help. Ctrl-C stops it.`,
      );
      await interrupted;
    }
    return surprises.length === 0 ? 0 : 1;
  } finally {
    for (const file of [environmentFile, instancesFile]) rmSync(file, { force: true });
    await stack.stop();
  }
}

/** As shells count an end by SIGINT. */
const interruptedExitCode = 130;

/** The first Ctrl-C, from the beginning on, ends everything in good order; the second one at once. */
function onInterrupt(): Promise<'interrupted'> {
  return new Promise((resolve) => {
    let before = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (before) process.exit(interruptedExitCode);
        before = true;
        resolve('interrupted');
      });
    }
  });
}

function readOptions(): { once: boolean; tour: boolean; ports: 'fixed' | 'auto' } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        'no-tour': { type: 'boolean', default: false },
        ports: { type: 'string', default: 'fixed' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    if (values.ports !== 'fixed' && values.ports !== 'auto')
      throw new Error(`--ports is auto or fixed, not ${values.ports}`);
    return { once: values.once, tour: !values['no-tour'], ports: values.ports };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return undefined;
  }
}

/** What the functions write goes to a file for each: the terminal is for people. */
function openLogs(): (name: string) => WriteStream {
  mkdirSync(path.join(folder, 'logs'), { recursive: true });
  const open = new Map<string, WriteStream>();
  return (name) => {
    const stream = open.get(name) ?? createWriteStream(path.join(folder, 'logs', `${name}.log`));
    open.set(name, stream);
    return stream;
  };
}

/** JSON has a file of its own: its quotation marks would mean something else to each of those who read KEY=VALUE. */
function writeEnvironment({ environment }: Stack): void {
  const instances = environment['DROVER_INSTANCES'] ?? '[]';
  writeFileSync(instancesFile, `${instances}\n`, { mode: 0o600 });
  const lines = Object.entries({ ...environment, DROVER_INSTANCES: `@${instancesFile}` }).map(
    ([name, value]) => `${name}=${value}`,
  );
  writeFileSync(environmentFile, `${lines.join('\n')}\n`, { mode: 0o600 });
}

function introduce({ environment, cluster, functions }: Stack, tookMs: number): void {
  const row = (name: string, value: string) => console.log(`  ${name.padEnd(15)} ${value}`);
  console.log(styleText('bold', `\nDrover's local cloud, up in ${(tookMs / 1000).toFixed(1)} s`));
  row('PostgreSQL', `127.0.0.1:${cluster.port}, set up like Cloud SQL: nobody here is a superuser`);
  row('Pub/Sub', environment['PUBSUB_EMULATOR_HOST'] ?? '');
  row('Firestore', environment['FIRESTORE_EMULATOR_HOST'] ?? '');
  row('Cloud SQL Admin', environment['SQLADMIN_EMULATOR_HOST'] ?? '');
  row('Secret Manager', environment['SECRETMANAGER_EMULATOR_HOST'] ?? '');
  for (const { name, url } of functions.values()) row(name, url);
  row('logs', path.relative(process.cwd(), path.join(folder, 'logs')));
}

function conclude(surprises: readonly string[]): void {
  if (surprises.length === 0) {
    console.log(
      styleText('green', '\nEvery message ended as it should: done, refused with a reason, or found done.'),
    );
    return;
  }
  console.log(styleText('red', `\n${surprises.length} step(s) did not end as they should:`));
  for (const surprise of surprises) console.log(`  ${surprise}`);
}

try {
  process.exitCode = await main();
  // A tour that was interrupted is still at it.
  if (process.exitCode === interruptedExitCode) process.exit();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}

function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /EADDRINUSE|address already in use|could not create any TCP|No address added/i.test(message)
    ? `A port of the local cloud is in use. Stop what uses it (another npm start?), or: npm start -- --ports auto\n${message}`
    : `The local cloud did not start: ${message}`;
}
