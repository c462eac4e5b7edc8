"""What a person does with webhooks: the commands `annals webhooks ...`.

They work through SQL, like the other commands, so they need a database and no running service; what they ask
for is sent by the relay that leads. Everything that sends again keeps the webhook's id and number.

Modules: commands (the group), delivery_commands, replay_command, endpoint_commands, secret_commands;
`listen`, which needs no database at all, is in `service.receiver`.
"""
