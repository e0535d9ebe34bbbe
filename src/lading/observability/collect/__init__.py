"""Reading what containers say and use, before they are gone."""
