import { config } from '../config.ts';
import { redact } from './redact.ts';

/** Cloud Logging's severities, of which these are used. */
export type Severity = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

export type Fields = Readonly<Record<string, unknown>>;

const ranks: Record<Severity, number> = { DEBUG: 0, INFO: 1, WARNING: 2, ERROR: 3 };

export interface Logger {
  log(severity: Severity, message: string, fields?: Fields): void;
  /** A logger whose every entry has these fields, too. */
  with(fields: Fields): Logger;
  /** The entry as the one line of JSON that would be written. */
  format(severity: Severity, message: string, fields?: Fields): string;
}

/**
 * Writes one line of JSON per event, as Cloud Logging reads it from standard output.
 *
 * @see https://cloud.google.com/logging/docs/structured-logging
 */
export function createLogger(bound: Fields, write: (line: string) => void = writeStandardOutput): Logger {
  const format = (severity: Severity, message: string, fields: Fields = {}) =>
    JSON.stringify({
      severity,
      message: redact(message),
      time: new Date().toISOString(),
      ...(redact({ ...bound, ...fields }) as object),
    });
  return {
    format,
    with: (fields) => createLogger({ ...bound, ...fields }, write),
    log(severity, message, fields) {
      if (ranks[severity] < ranks[config().DROVER_LOG_LEVEL.toUpperCase() as Severity]) return;
      write(`${format(severity, message, fields)}\n`);
    },
  };
}

function writeStandardOutput(line: string): void {
  process.stdout.write(line);
}

/** The fields by which Cloud Logging shows an entry with its trace. */
export function traceFields(traceparent: string | undefined): Fields {
  const parsed = parseTraceparent(traceparent);
  if (parsed === undefined) return {};
  return {
    'logging.googleapis.com/trace': `projects/${config().GOOGLE_CLOUD_PROJECT}/traces/${parsed.traceId}`,
    'logging.googleapis.com/spanId': parsed.spanId,
    'logging.googleapis.com/trace_sampled': (parsed.traceFlags & 1) === 1,
  };
}

export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

/** W3C Trace Context, section "traceparent header"; undefined for what isn't one. */
export function parseTraceparent(header: string | undefined): TraceParent | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header ?? '') ?? [];
  if (version === undefined || version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(spanId))
    return undefined;
  if (version === '00' && more !== undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}
