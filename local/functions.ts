import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** A deployed function: one process, started again when it ends, as Cloud Run would. */
export interface FunctionProcess {
  readonly name: string;
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: () => number;
  /** How often it was started. */
  readonly starts: () => number;
  /** Resolves when the process that runs now is gone, with its exit code or the signal that ended it. */
  exited(): Promise<number | NodeJS.Signals>;
  /** Resolves when the process that runs now is gone and its successor serves. */
  restarted(): Promise<void>;
  /** SIGTERM, and waits for the end; it isn't started again. */
  stop(): Promise<void>;
}

export interface FunctionOptions {
  readonly name: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly onLog?: ((line: string) => void) | undefined;
  /** What to run: by default the sources, else a bundle. */
  readonly entry?: string | undefined;
}

const restartPauseMs = 1000;

const sources = path.resolve(import.meta.dirname, '..', 'functions', 'index.ts');

/** Compiling takes most of a start. In the project, for what lies in a shared /tmp others may have put there. */
export const compileCache = path.resolve(import.meta.dirname, '..', 'node_modules', '.cache', 'drover');

/** Starts a function as a process of its own, under the Functions Framework, and waits until it serves. */
export async function startFunction({
  name,
  port,
  environment,
  ...options
}: FunctionOptions): Promise<FunctionProcess> {
  let child: ChildProcess;
  let starts = 0;
  let stopped = false;
  let next = Promise.withResolvers<void>();

  const start = async (): Promise<void> => {
    starts += 1;
    child = spawn(process.execPath, [options.entry ?? sources], {
      env: {
        NODE_COMPILE_CACHE: compileCache,
        ...environment,
        FUNCTION_TARGET: name,
        PORT: String(port),
        PATH: process.env['PATH'] ?? '',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // Ctrl-C is for whoever started it all, who stops this in good order
    });
    const { promise: serving, resolve, reject } = Promise.withResolvers<void>();
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        if (said.length < 50) said.push(line);
        options.onLog?.(line);
        if (line.includes('"message":"serving"')) resolve();
      });
    }
    child.once('exit', (code, signal) => {
      reject(new Error(`${name} ended with ${signal ?? code} before it served:\n${said.join('\n')}`));
    });
    await serving;
    child.once('exit', () => void startAgain());
  };
  /** One that can't start any more is tried again at leisure. */
  const startAgain = async (): Promise<void> => {
    if (stopped) return;
    try {
      await start();
      next.resolve();
      next = Promise.withResolvers<void>();
    } catch (error) {
      options.onLog?.(String(error));
      setTimeout(() => void startAgain(), restartPauseMs).unref();
    }
  };
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  await start();

  return {
    name,
    url: `http://127.0.0.1:${port}`,
    pid: () => child.pid ?? 0,
    starts: () => starts,
    async exited() {
      const [code, signal] = (await once(child, 'exit')) as [number, NodeJS.Signals | null];
      return signal ?? code;
    },
    restarted: () => next.promise,
    async stop() {
      stopped = true;
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
