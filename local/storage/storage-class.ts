import { invalid } from './errors.ts';

const storageClasses = ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE', 'MULTI_REGIONAL', 'REGIONAL'];

/**
 * @param value undefined and null stand for the default
 * @throws ApiError 400 for one that doesn't exist
 * @see https://cloud.google.com/storage/docs/storage-classes
 */
export function storageClassOf(value: unknown, byDefault: string): string {
  const name = value ?? byDefault;
  if (typeof name === 'string' && storageClasses.includes(name)) return name;
  throw invalid(`Invalid argument: the storage class ${name} does not exist.`);
}
