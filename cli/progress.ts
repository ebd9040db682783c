import type { OperationRecord } from '../shared/registry/operations.ts';
import { timeText } from './operation-report.ts';
import { printableLine } from './printable.ts';

/** One line that is written over again and again while somebody waits. */
export interface Progress {
  show(record: OperationRecord | undefined): void;
  /** Takes the line away. */
  stop(): void;
}

const clearLine = '\r\u001b[2K';

/** Shows progress where somebody watches: on anything but a terminal it says nothing. */
export function startProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { show: () => undefined, stop: () => undefined };
  const startedAt = performance.now();
  let record: OperationRecord | undefined;
  const draw = () => {
    const line = describeProgress(record, (performance.now() - startedAt) / 1000);
    stream.write(clearLine + line.slice(0, (stream.columns || 80) - 1));
  };
  const timer = setInterval(draw, 500).unref();
  draw();
  return {
    show(latest) {
      record = latest;
      draw();
    },
    stop() {
      clearInterval(timer);
      stream.write(clearLine);
    },
  };
}

/** What an operation that has not ended is doing, in one line. */
export function describeProgress(record: OperationRecord | undefined, elapsedSeconds: number): string {
  const elapsed = `${Math.floor(elapsedSeconds)} s`;
  if (record === undefined) return `${elapsed}  published; no worker has taken it yet`;
  const { state, epoch, error, notBefore } = record;
  if (state === 'deferred' && notBefore) {
    const until = `${elapsed}  deferred until ${timeText(notBefore)}`;
    return printableLine(error ? `${until}: ${error.message}` : until);
  }
  if (state !== 'pending') return `${elapsed}  ${state}, attempt ${epoch}`;
  const last = error ? `; the last one failed with ${error.code}: ${error.message}` : '';
  return printableLine(`${elapsed}  pending after attempt ${epoch}${last}`);
}
