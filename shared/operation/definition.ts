import type { DocumentReference, DocumentSnapshot, Transaction } from '@google-cloud/firestore';
import type * as z from 'zod';
import type { Pools } from '../postgres/pools.ts';
import type { Target } from '../postgres/target.ts';
import type { Order } from '../registry/claims.ts';
import type { Intent } from '../registry/intents.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Delivery } from './delivery.ts';
import type { Outcome } from './outcome.ts';
import type { AccessRequest } from './policy.ts';

/** What one kind of operation is: everything else about it is the same for all. */
export interface OperationDefinition<M> {
  /** The function's name: its folder, its topic, its subscription. */
  readonly name: string;
  /** Its `timeoutSeconds` in `function.json`. */
  readonly timeoutSeconds: number;
  /** The public contract: what a publisher may send as data. */
  readonly message: z.ZodType<M>;
  /**
   * Makes a message of what others send to the topic, in words of their own; undefined where it is a message as it is.
   * `attributes` take the place of the delivered ones. `ignore` says why something is no message, and asks for nothing.
   */
  readonly adapt?: (
    delivery: Delivery,
  ) =>
    | { readonly data: Buffer; readonly attributes?: Delivery['attributes'] }
    | { readonly ignore: string }
    | undefined;
  /** What a message asks for, in the terms of the policy; undefined where that has no say in it. */
  readonly access: (message: M) => AccessRequest | undefined;
  /** Tenants may send it: `access` names all that a message touches, so that it can be told whether that is theirs. */
  readonly forTenants?: true;
  /**
   * Makes it so. Called with a message that is valid and allowed, once at a time for an operation. It may be called
   * again after a crash at any point, so it inspects before it acts.
   *
   * @returns what it changed
   * @throws OperationError; anything else is classified
   * @throws Deferred where it has to wait for a time that is known; it is called again then, in a dry run too
   */
  readonly run: (message: M, operation: OperationContext) => Promise<Outcome>;
}

/** What a handler has to work with. */
export interface OperationContext {
  /** The id of the operation's record. */
  readonly id: string;
  /** The publisher's idempotency key. */
  readonly operationId: string;
  /** Do everything up to the change, and return the statements. */
  readonly dryRun: boolean;
  /** Fires before the platform's timeout, when the lease is lost and when the process has to stop. */
  readonly signal: AbortSignal;
  /** Time until the signal fires, in milliseconds. */
  readonly remainingMs: () => number;
  /**
   * To be called right before an effect that nothing else can fence.
   *
   * @throws OperationError `LEASE_LOST` where the lease may be over, by this process's own clock
   */
  readonly assertHeld: () => void;
  readonly log: Logger;
  readonly pools: Pools;
  /** Its place among others about the same thing, and who says to have asked. */
  readonly asked: Order & { readonly claimedActor?: string };
  /** A document of the registry, by the thing it is about. */
  readonly registry: (collection: string, ...key: string[]) => Promise<DocumentReference>;
  /**
   * Runs a transaction on the registry, in which this worker still holds the operation. It may be run again, as
   * Firestore's are.
   *
   * @param refs documents that `update` gets as they are
   * @throws OperationError `LEASE_LOST` where it doesn't
   */
  readonly transact: <T>(
    refs: readonly DocumentReference[],
    update: (transaction: Transaction, snapshots: DocumentSnapshot[]) => Promise<T>,
  ) => Promise<T>;
  /**
   * Records what should be, before anything is done. Ends the operation as superseded where something newer is wanted.
   *
   * @param wish.atLeast the epoch that was found on the thing, where it refused this operation's
   */
  readonly intend: (wish: {
    ref: DocumentReference;
    /** What it is about, and in which database. */
    identity: Target & Record<string, unknown>;
    desired: unknown;
    atLeast?: number;
  }) => Promise<Intent>;
  /** Says that what was intended is so, with facts for the registry; recorded when the operation ends. */
  readonly fulfil: (facts: Record<string, unknown>) => void;
}
