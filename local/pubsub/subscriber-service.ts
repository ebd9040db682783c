import type { Interceptor, Message, ServiceHandlers } from '../grpc/server.ts';
import { invalidArgument, wrongSubscriptionType } from './errors.ts';
import { parseProjectName } from './names.ts';
import { page } from './pages.ts';
import { pull } from './pull.ts';
import type { Resources } from './resources.ts';
import { streamingPull } from './streaming-pull.ts';
import type { Subscription } from './subscription.ts';
import { toSubscription, within } from './subscription-config.ts';
import { second } from './time.ts';

/** How long a pull waits for the first message: "a bounded amount of time", says the documentation. */
const longestPull = 20 * second;

/** google.pubsub.v1.Subscriber; the methods left out answer UNIMPLEMENTED. */
export function subscriberService(
  resources: Resources,
  intercept: () => Interceptor | undefined,
): ServiceHandlers {
  return {
    unary: {
      CreateSubscription: (request) => present(resources.createSubscription(request)),
      GetSubscription: ({ subscription }) => present(resources.subscription(subscription)),
      UpdateSubscription: ({ subscription, updateMask }) =>
        present(
          resources.updateSubscription((subscription ?? {}) as Message, updateMask as Message | undefined),
        ),
      ListSubscriptions: ({ project, pageSize, pageToken }) => {
        const subscriptions = resources.subscriptionsOf(parseProjectName(project));
        const { items, nextPageToken } = page(
          subscriptions,
          ({ config }) => config.name.full,
          pageSize,
          pageToken,
        );
        return { subscriptions: items.map(present), nextPageToken };
      },
      DeleteSubscription: ({ subscription }) => {
        resources.deleteSubscription(subscription);
        return {};
      },
      ModifyPushConfig: ({ subscription, pushConfig }) => {
        resources.modifyPushConfig(subscription, pushConfig);
        return {};
      },
      Acknowledge: ({ subscription, ackIds }) => {
        const { queue } = pulled(resources, subscription);
        queue.acknowledge(validAckIds(queue, ackIds, 'required'));
        return {};
      },
      ModifyAckDeadline: ({ subscription, ackIds, ackDeadlineSeconds }) => {
        const { queue } = pulled(resources, subscription);
        const deadline = within('ack_deadline_seconds', Number(ackDeadlineSeconds ?? 0), 0, 600);
        queue.modifyDeadlines(validAckIds(queue, ackIds, 'required'), deadline * second);
        return {};
      },
      Pull: (request, call) => {
        const subscription = pulled(resources, request['subscription']);
        const maxMessages = Number(request['maxMessages'] ?? 0);
        if (maxMessages <= 0) {
          throw invalidArgument('The value for max_messages must be a positive integer.');
        }
        const wait = request['returnImmediately'] === true ? 0 : longestPull;
        return pull(
          subscription.queue,
          () => subscription.config,
          maxMessages,
          wait,
          (giveUp) => call.on('cancelled', giveUp),
        );
      },
    },
    bidirectional: {
      StreamingPull: (call) =>
        streamingPull(
          call,
          async (request) => {
            await intercept()?.({ method: 'StreamingPull', phase: 'before', request });
            return pulled(resources, request['subscription']);
          },
          modify,
        ),
    },
  };
}

function present({ config, topicName }: Subscription): Message {
  return toSubscription(config, topicName);
}

function pulled(resources: Resources, name: unknown): Subscription {
  const subscription = resources.subscription(name);
  if (subscription.config.push !== undefined) throw wrongSubscriptionType();
  return subscription;
}

function modify({ queue }: Subscription, request: Message): void {
  const deadlines = (request['modifyDeadlineSeconds'] ?? []) as number[];
  const modified = validAckIds(queue, request['modifyDeadlineAckIds']);
  if (deadlines.length !== modified.length) {
    throw invalidArgument('modify_deadline_seconds and modify_deadline_ack_ids must have the same length.');
  }
  queue.acknowledge(validAckIds(queue, request['ackIds']));
  modified.forEach((ackId, index) => {
    const deadline = within('modify_deadline_seconds', deadlines[index] ?? 0, 0, 600);
    queue.modifyDeadlines([ackId], deadline * second);
  });
}

function validAckIds(queue: Subscription['queue'], given: unknown, presence?: 'required'): string[] {
  const ackIds = (given ?? []) as string[];
  if (presence === 'required' && ackIds.length === 0) throw invalidArgument('No ack ids specified.');
  const invalid = ackIds.find((ackId) => !queue.isAckId(ackId));
  if (invalid !== undefined) {
    throw invalidArgument(`You have passed an invalid ack ID to the service (ack_id=${invalid}).`);
  }
  return ackIds;
}
