"""The workbench: pages for people who look and decide, over one home folder."""
