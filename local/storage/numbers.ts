import { invalid } from './errors.ts';

/** @throws ApiError 400 unless a parameter is a number that isn't negative */
export function numberOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw invalid(`Invalid long value: '${text}'.`);
}
