SELECT publish_task_types($1)
