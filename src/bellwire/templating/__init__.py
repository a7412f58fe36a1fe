"""Templates of messages: Jinja2 in a sandbox of our own, for ``title`` and ``text`` of every channel.

What a template sees (docs/templates.md has it with examples):

- of the message: ``kind`` (alert, group, digest, fallback, replay, test), ``receiver``, ``delivery_id``, ``alerts``,
  ``alert`` (the first of them), ``group_labels``, ``severity`` (the worst), ``severity_rank`` (1 to 4), ``mark`` (its
  coloured dot), ``part``, ``parts``, ``suppressed`` (repeats left out), ``origin`` (of a replay), ``errors``,
  ``external_url``;
- of an alert: ``id account api upstream_id type severity severity_rank mark title message url created_at received_at
  labels payload``, ``page`` (its address at Bellwire, empty without ``web.external_url``), ``whole`` (where the whole of
  it is to be seen).

A label or a path of ``payload`` that an alert does not have is empty text. An unknown name is an error at load.
"""
