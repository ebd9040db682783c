import type { Timestamp } from './time.ts';

/**
 * The messages of `google.firestore.v1` as the gRPC server hands them over, limited to the fields that are
 * served. Every oneof carries its discriminator (`valueType`, `operation`, …); absent fields are absent.
 *
 * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1
 */
export type Value =
  | { valueType: 'nullValue'; nullValue: 'NULL_VALUE' }
  | { valueType: 'booleanValue'; booleanValue: boolean }
  | { valueType: 'integerValue'; integerValue: string }
  | { valueType: 'doubleValue'; doubleValue: number }
  | { valueType: 'timestampValue'; timestampValue: Timestamp }
  | { valueType: 'stringValue'; stringValue: string }
  | { valueType: 'bytesValue'; bytesValue: Buffer }
  | { valueType: 'referenceValue'; referenceValue: string }
  | { valueType: 'geoPointValue'; geoPointValue: { latitude?: number; longitude?: number } }
  | { valueType: 'arrayValue'; arrayValue: ArrayValue }
  | { valueType: 'mapValue'; mapValue: { fields?: Fields } };

export interface ArrayValue {
  values?: Value[];
}

export type Fields = { [name: string]: Value };

export interface DocumentMask {
  fieldPaths?: string[];
}

export interface WireDocument {
  name?: string;
  fields?: Fields;
  createTime?: Timestamp;
  updateTime?: Timestamp;
}

export type WirePrecondition =
  | { conditionType: 'exists'; exists: boolean }
  | { conditionType: 'updateTime'; updateTime: Timestamp };

export interface WireFieldTransform {
  fieldPath?: string;
  transformType?:
    | 'setToServerValue'
    | 'increment'
    | 'maximum'
    | 'minimum'
    | 'appendMissingElements'
    | 'removeAllFromArray';
  setToServerValue?: string;
  increment?: Value;
  maximum?: Value;
  minimum?: Value;
  appendMissingElements?: ArrayValue;
  removeAllFromArray?: ArrayValue;
}

export interface WireWrite {
  operation?: 'update' | 'delete' | 'transform' | 'verify';
  update?: WireDocument;
  delete?: string;
  verify?: string;
  transform?: { document?: string; fieldTransforms?: WireFieldTransform[] };
  updateMask?: DocumentMask;
  updateTransforms?: WireFieldTransform[];
  currentDocument?: WirePrecondition;
}

export interface TransactionOptions {
  mode?: 'readOnly' | 'readWrite';
  readOnly?: { readTime?: Timestamp };
  readWrite?: { retryTransaction?: Buffer };
}

/** The `consistency_selector` oneof that every read carries. */
export interface ConsistencySelector {
  transaction?: Buffer;
  newTransaction?: TransactionOptions;
  readTime?: Timestamp;
}

export interface FieldReference {
  fieldPath?: string;
}

export type WireFilter =
  | { filterType: 'compositeFilter'; compositeFilter: { op?: string; filters?: WireFilter[] } }
  | { filterType: 'fieldFilter'; fieldFilter: { field?: FieldReference; op?: string; value?: Value } }
  | { filterType: 'unaryFilter'; unaryFilter: { field?: FieldReference; op?: string } };

export interface WireCursor {
  values?: Value[];
  before?: boolean;
}

export interface StructuredQuery {
  select?: { fields?: FieldReference[] };
  from?: { collectionId?: string; allDescendants?: boolean }[];
  where?: WireFilter;
  orderBy?: { field?: FieldReference; direction?: string }[];
  startAt?: WireCursor;
  endAt?: WireCursor;
  offset?: number;
  limit?: { value?: number };
  findNearest?: unknown;
}

export interface Aggregation {
  operator?: 'count' | 'sum' | 'avg';
  count?: { upTo?: { value?: string } };
  sum?: { field?: FieldReference };
  avg?: { field?: FieldReference };
  alias?: string;
}
