import { isFinal, type OperationRecord } from '../../shared/registry/operations.ts';
import { errorLines } from '../error-report.ts';

/** What verifying a secret came to. */
export interface Verdict {
  readonly result: 'works' | 'mended' | 'broken' | 'failed' | 'unfinished';
  /** Which versions, or why. */
  readonly detail: string;
}

const brokenCodes = ['VERSION_BROKEN', 'CURRENT_BROKEN', 'LATEST_BROKEN'];
const mendedCode = 'VERSION_MENDED';

/**
 * Judges the operation that verified a secret.
 *
 * @param record undefined where no worker has taken the message so far
 */
export function verdictOf(record: OperationRecord | undefined): Verdict {
  if (record === undefined) return { result: 'unfinished', detail: 'no worker has taken it yet' };
  const { state, error, notes = [], summary = {} } = record;
  if (!isFinal(state)) {
    const why = error ? `; the last attempt failed with ${firstLine(error)}` : '';
    return { result: 'unfinished', detail: `still ${state}${why}` };
  }
  if (state === 'failed') {
    return failedVerdict(error ?? { code: 'INTERNAL', message: 'nothing is known about why' });
  }
  const { versions = 0, broken = 0, mended = 0 } = summary;
  const codes = notes.map(({ code }) => code);
  // What was broken is told and counted also where it was mended: then as often as that.
  const isMended = codes.includes(mendedCode) && mended >= broken;
  // Nothing was tried where there is no version: that is no proof of anything.
  const isBroken = versions === 0 || broken > 0 || brokenCodes.some((code) => codes.includes(code));
  return { result: isMended ? 'mended' : isBroken ? 'broken' : 'works', detail: detailOf(record) };
}

/** It could not be verified: nobody knows whether it works. */
export function failedVerdict(error: { readonly code: string; readonly message: string }): Verdict {
  return { result: 'failed', detail: firstLine(error) };
}

/** The code and the message; details are in the operation's record. */
function firstLine(error: { readonly code: string; readonly message: string }): string {
  return errorLines({ code: error.code, message: error.message }).join(' ');
}

function detailOf({ notes = [], summary: { versions = 0, broken = 0 } = {} }: OperationRecord): string {
  const told = notes.filter(({ code }) => code === mendedCode || brokenCodes.includes(code));
  if (told.length > 0) return told.map(({ message }) => message.replace(/\.$/, '')).join('; ');
  if (versions === 0) return 'no version is enabled';
  return broken > 0 ? `${broken} of ${versions} versions` : `${versions} version${versions === 1 ? '' : 's'}`;
}
