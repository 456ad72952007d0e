"""What is sent and when: campaigns, automations and reports."""
