import { isVector } from './values.ts';
import type { Fields, Value } from './wire.ts';

/** https://cloud.google.com/firestore/quotas#collections_documents_and_fields */
export const maxDocumentBytes = 1_048_576;

/**
 * Bytes that a document counts for, by the documented formula.
 *
 * @param name full resource name
 * @see https://cloud.google.com/firestore/docs/storage-size
 */
export function documentSize(name: string, fields: Fields): number {
  return nameSize(name) + fieldsSize(fields) + 32;
}

function nameSize(name: string): number {
  const path = name.slice(name.indexOf('/documents/') + '/documents/'.length);
  let size = 16;
  for (const id of path.split('/')) size += textSize(id);
  return size;
}

function fieldsSize(fields: Fields): number {
  let size = 0;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) size += textSize(name) + valueSize(value);
  }
  return size;
}

function textSize(text: string): number {
  return Buffer.byteLength(text) + 1;
}

function valueSize(value: Value): number {
  switch (value.valueType) {
    case 'nullValue':
    case 'booleanValue':
      return 1;
    case 'integerValue':
    case 'doubleValue':
    case 'timestampValue':
      return 8;
    case 'geoPointValue':
      return 16;
    case 'stringValue':
      return textSize(value.stringValue);
    case 'bytesValue':
      return value.bytesValue.length;
    case 'referenceValue':
      return nameSize(value.referenceValue);
    case 'arrayValue':
      return (value.arrayValue.values ?? []).reduce((size, element) => size + valueSize(element), 0);
    case 'mapValue':
      return isVector(value)
        ? vectorSize(value.mapValue.fields ?? {})
        : fieldsSize(value.mapValue.fields ?? {});
  }
}

function vectorSize(fields: Fields): number {
  const components = fields['value'];
  return components?.valueType === 'arrayValue' ? 8 * (components.arrayValue.values ?? []).length : 0;
}
