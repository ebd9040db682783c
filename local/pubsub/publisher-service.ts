import type { Message, ServiceHandlers } from '../grpc/server.ts';
import { parseMessages } from './message.ts';
import { parseProjectName } from './names.ts';
import { page } from './pages.ts';
import type { Resources } from './resources.ts';
import { toTopic } from './topic.ts';

/** google.pubsub.v1.Publisher; the methods left out answer UNIMPLEMENTED. */
export function publisherService(resources: Resources): ServiceHandlers {
  return {
    unary: {
      CreateTopic: (request) => toTopic(resources.createTopic(request).config),
      UpdateTopic: ({ topic, updateMask }) =>
        toTopic(resources.updateTopic((topic ?? {}) as Message, updateMask as Message | undefined).config),
      GetTopic: ({ topic }) => toTopic(resources.topic(topic, 'topic').config),
      DeleteTopic: ({ topic }) => {
        resources.deleteTopic(topic);
        return {};
      },
      ListTopics: ({ project, pageSize, pageToken }) => {
        const topics = resources.topicsOf(parseProjectName(project));
        const { items, nextPageToken } = page(topics, (topic) => topic.config.name.full, pageSize, pageToken);
        return { topics: items.map((topic) => toTopic(topic.config)), nextPageToken };
      },
      ListTopicSubscriptions: ({ topic, pageSize, pageToken }) => {
        const names = [...resources.topic(topic, 'topic').subscriptions].map(
          ({ config }) => config.name.full,
        );
        const { items, nextPageToken } = page(names, (name) => name, pageSize, pageToken);
        return { subscriptions: items, nextPageToken };
      },
      Publish: (request) => {
        const topic = resources.topic(request['topic'], 'topic');
        return { messageIds: topic.publish(parseMessages(request)) };
      },
    },
  };
}
