import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Manifest, readManifests } from '../shared/manifest.ts';
import { didYouMean } from './suggest.ts';
import { UsageError } from './usage-error.ts';

const functionsFolder = path.resolve(import.meta.dirname, '..', 'functions');

/** The functions that people may send messages to: those with a public contract, which is their `message.ts`. */
export function sendableFunctions(): Manifest[] {
  return readManifests().filter(({ name }) => existsSync(path.join(functionsFolder, name, 'message.ts')));
}

/**
 * The function of this name.
 *
 * @throws UsageError with the list, where there is none
 */
export function sendableFunction(name: string | undefined): Manifest {
  const functions = sendableFunctions();
  const found = functions.find((candidate) => candidate.name === name);
  if (found) return found;
  const names = functions.map((candidate) => candidate.name);
  const problem =
    name === undefined
      ? 'Which function?'
      : readManifests().some((manifest) => manifest.name === name)
        ? `${name} takes no messages from outside.`
        : `There is no function ${name}.${didYouMean(name, names)}`;
  throw new UsageError(`${problem}\nFunctions: ${names.join(', ')}`);
}
