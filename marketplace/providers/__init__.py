"""Providers: profile, accreditation, offers and weekly hours; only the accredited are ever matched."""
