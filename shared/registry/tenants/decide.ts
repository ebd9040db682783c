import { OperationError } from '../../operation/errors.ts';
import type { Order } from '../claims.ts';
import { isOlder } from '../intents.ts';
import type { TenantRecord } from './model.ts';

/** What an operation asks of a tenant that is on record. */
export interface TenantWish {
  readonly operation: string;
  readonly order: Order;
  readonly action: 'bootstrap' | 'remove';
  /** The id may be a removed tenant's. */
  readonly reuse: boolean;
}

/**
 * - `begin`: afresh, as the next tenant of this id
 * - `go-on`: with what there is
 * - `compensate`: what this operation made is being taken back
 * - `done`: there is nothing left to do
 */
export type TenantDecision =
  | { readonly kind: 'begin'; readonly incarnation: number }
  | { readonly kind: 'go-on' | 'compensate' | 'done' }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'refused'; readonly error: OperationError };

type Known = Pick<
  TenantRecord,
  'tenant' | 'state' | 'incarnation' | 'holder' | 'order' | 'operation' | 'failure'
>;

/**
 * Decides what an operation may do with a tenant. One at a time: another that hasn't ended stands against it.
 *
 * @param found the tenant's record
 * @param holderEnded whether the operation that is at it has ended
 */
export function decideTenant(
  found: Known | undefined,
  wish: TenantWish,
  holderEnded: boolean,
): TenantDecision {
  if (found === undefined) {
    return wish.action === 'remove'
      ? refused(wish, 'TENANT_NOT_FOUND', 'There is no such tenant. Look at the id: drover tenants list')
      : { kind: 'begin', incarnation: 1 };
  }
  const { holder, tenant } = found;
  const isMine = holder === wish.operation;
  if (holder !== null && !isMine && !holderEnded) return { kind: 'refused', error: busy(tenant, holder) };
  // What came to nothing stands against nobody.
  const counts = found.state !== 'failed' && found.operation !== wish.operation;
  if (!isMine && counts && isOlder(wish.order, found.order)) return { kind: 'superseded' };
  return wish.action === 'remove' ? decideRemoval(found, wish) : decideBootstrap(found, wish, isMine);
}

function decideBootstrap(found: Known, wish: TenantWish, isMine: boolean): TenantDecision {
  const { state, incarnation, tenant } = found;
  switch (state) {
    case 'active': {
      // Announced by an attempt before this one: whatever fails now comes too late.
      const isAnnounced =
        found.operation === wish.operation && found.holder === null && found.failure === null;
      return { kind: isAnnounced ? 'done' : 'go-on' };
    }
    case 'bootstrapping':
      return { kind: 'go-on' };
    case 'compensating':
      return { kind: isMine ? 'compensate' : 'go-on' };
    case 'failed':
      return { kind: 'begin', incarnation };
    case 'removing':
      return refused(
        wish,
        'TENANT_REMOVING',
        `The tenant ${tenant} is being removed, and that came to a halt. Replay its removal: drover tenants show ${tenant}`,
      );
    case 'removed':
      if (wish.reuse) return { kind: 'begin', incarnation: incarnation + 1 };
      return refused(
        wish,
        'TENANT_REMOVED',
        `The id ${tenant} was another tenant's, which was removed. Say "reuse": true if it shall be used again.`,
      );
  }
}

function decideRemoval({ state, tenant }: Known, wish: TenantWish): TenantDecision {
  if (state === 'removed') return { kind: 'done' };
  if (state !== 'failed') return { kind: 'go-on' };
  return refused(
    wish,
    'TENANT_NOT_FOUND',
    `The tenant ${tenant} was never there: its bootstrap failed, and nothing of it is left.`,
  );
}

function refused({ operation }: TenantWish, code: string, message: string): TenantDecision {
  return { kind: 'refused', error: new OperationError(code, message, { details: { operation } }) };
}

function busy(tenant: string, holder: string): OperationError {
  return new OperationError(
    'TENANT_BUSY',
    `Another operation is at the tenant ${tenant} (${holder}); this one waits for its end`,
    { retryable: true, details: { tenant, operation: holder } },
  );
}
